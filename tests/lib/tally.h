/* tally.h - what do the events of an answer add up to?
 * One JSON object with the text, the calls, the usage and how it ended, as a person would report it.
 * Also checks the promise of event.h on the way. */
#ifndef TESTS_LIB_TALLY_H
#define TESTS_LIB_TALLY_H
#include "brokerd/config/catalogue.h"
#include "protocol/base/json.h"
#include "protocol/event.h"

struct tally_call {
	uint32_t choice;
	bool is_custom, is_open, is_over;
	struct buf id, name, args;
};

enum { TALLY_CHOICES = 128 };

struct tally {
	struct buf text, reasoning, refusal; /* of the first choice */
	struct buf plan; /* of the reasoning, what a mark of Cohere's calls a plan for the calls */
	struct buf finish_native;
	struct buf results; /* of an operation beside chat: events as JSON, a comma between them */
	enum event_type result; /* which; 0: none */
	size_t n_results;
	enum finish finish; /* 0: none */
	bool is_finished[TALLY_CHOICES];
	struct tally_call *calls; /* of all choices */
	size_t n_calls;
	struct llm_usage usage, billed;
	char tier[64]; /* of service, as the reply says; "": it does not */
	bool has_usage, is_started;
	size_t n_events;
	size_t reasoning_marked; /* how much of it has its mark */
	char broken[256];        /* how the promise was broken; "": it was kept */
};

void tally_init(struct tally *t);
void tally_done(struct tally *t);

/* An event_sink's function; the context is the tally. */
enum err tally_event(void *context, const struct llm_event *e);

/* The answer as one JSON object: text, tool_calls, finish_reason, finish_reason_raw, usage,
 * reasoning_text, refusal, complete, results (those of an operation beside chat), and, for a fault
 * (NULL or OK: none), error. Where something was counted: billed, the disjoint classes that are charged for
 * and the provider's own figure of their cost; tier, where the reply names one; and cost_nusd, which is null
 * where a price is not known, by `prices`: lines of a catalogue for TALLY_MODEL (NULL: no cost). */
#define TALLY_MODEL "recorded" /* provider and model */
void tally_json(const struct tally *t, const struct fault *fault, const struct catalogue *prices,
	struct buf *out);

#endif
