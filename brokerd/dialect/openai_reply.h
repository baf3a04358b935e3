/* openai_reply.h - what do the replies of all of OpenAI's wires bring alike?
 * Who answers, the counts, an ending, an error: chat, responses and completions, and whoever speaks
 * them, say these in the same members. No I/O. */
#ifndef BROKERD_DIALECT_OPENAI_REPLY_H
#define BROKERD_DIALECT_OPENAI_REPLY_H
#include "brokerd/dialect/errors.h"
#include "brokerd/dialect/outlet.h"

/* A string that is not empty. */
bool openai_is_text(struct json v);

/* An object that has a member. */
bool openai_is_filled(struct json v);

/* The value of a member `error` that is worth the name: some hosts send one along that says nothing. */
bool openai_is_error(struct json v);

/* Judges an error object, or what has one as its member, by the table of `host` (may be absent) and
 * then by `rules`. Returns its class. */
enum err openai_error(struct span host, const struct error_rule *rules, struct json v,
	struct fault *why) MUST_USE;

/* All below return what outlet.h says. */

/* Who answers, and when. A time that is none becomes our own, once there is an id beside it. */
enum err openai_about(
	struct outlet *o, struct json id, struct json model, struct json created) MUST_USE;

/* The counts, where they say anything; the last ones win. `cached` as openai_usage has it. */
enum err openai_counts(struct outlet *o, struct json usage, int64_t cached) MUST_USE;

/* A finish_reason, where there is one, and the stop sequence that was met (may be absent). The class
 * of an ending that is none, with *why. */
enum err openai_ending(struct outlet *o, uint32_t choice, struct json reason, struct json stop,
	struct fault *why) MUST_USE;

/* The input is over before a choice said how it ended: that is believed of a reply that `is_over` by
 * its own word, with a warning, else it broke off. */
enum err openai_unsaid_ending(
	struct outlet *o, uint32_t choice, bool is_over, struct fault *why) MUST_USE;

/* The sentence where a choice that was asked for never came. */
#define OPENAI_TOO_FEW "the provider sent fewer answers than were asked for"

/* A reply in which there was nothing. */
enum err openai_nothing(struct fault *why);

#endif
