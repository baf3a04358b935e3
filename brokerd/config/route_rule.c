/* route_rule.c - a line is what it is about, and behind it words with an equals sign, in any order. */
#include "brokerd/config/route_rule.h"

#include <inttypes.h>

#include "brokerd/config/keys.h"
#include "protocol/base/num.h"

#define HEDGE_MIN_US INT64_C(10000)
#define HEDGE_MAX_US INT64_C(3600000000)
#define RATE_MAX     100000
#define LABEL_BYTES  63 /* of a vault's key */

static const char *const capabilities[CAPABILITY_COUNT] = {
	"images", "audio", "video", "files", "tools", "schema", "reasoning"};

const char *capability_name(enum capability bit)
{
	for (unsigned i = 0; i < CAPABILITY_COUNT; i++) {
		if ((unsigned)bit == 1U << i)
			return capabilities[i];
	}
	return NULL;
}

bool target_rule_is_for_all(const struct target_rule *r)
{
	return r->apps.n == 0 && r->tags.n == 0 && r->min_input < 0 && r->max_input < 0 &&
	       r->needs == 0 && r->min_budget_nusd < 0;
}

static enum err bad(struct fault *why, const char *sentence)
{
	return fault_set(why, ERR_MISCONFIGURED, "%s", sentence);
}

static enum err copied(struct arena *a, struct span s, struct span *to, struct fault *why)
{
	const enum err err = arena_dup(a, s, to);
	return err ? fault_set(why, err, "no memory for the configuration") : OK;
}

/* ---- words behind the first ---- */

static struct span next_word(struct span *rest)
{
	*rest = span_trim(*rest);
	size_t n = 0;
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t')
		n++;
	const struct span word = span_first(*rest, n);
	*rest = span_skip(*rest, n);
	return word;
}

/* What may be said of a line. */
enum said {
	SAID_WEIGHT,
	SAID_MODEL,
	SAID_APP,
	SAID_TAG,
	SAID_MIN_INPUT,
	SAID_MAX_INPUT,
	SAID_NEEDS,
	SAID_MIN_BUDGET,
	SAID_COUNT,
};
static const char *const names[SAID_COUNT] = {
	"weight", "model", "app", "tag", "min_input", "max_input", "needs", "min_budget"};
#define OF_KEY    (1U << SAID_WEIGHT | 1U << SAID_MODEL)
#define OF_TARGET ((1U << SAID_COUNT) - 1U - (1U << SAID_MODEL))

/* The lists of what there is, for whoever wrote something else. */
#define OF_KEY_WORDS    "weight= and model="
#define OF_TARGET_WORDS "weight=, app=, tag=, min_input=, max_input=, needs= and min_budget="

static enum err no_word(struct span name, unsigned known, struct fault *why)
{
	const char *near = NULL;
	size_t nearest = 3;
	for (unsigned i = 0; i < SAID_COUNT; i++) {
		const size_t away =
			known & 1U << i ? keys_distance(name, span_str(names[i]), 2) : 3;
		if (away >= nearest)
			continue;
		near = names[i];
		nearest = away;
	}
	return fault_set(why, ERR_MISCONFIGURED, "there is no word %.*s= here, but %s%s%s%s",
		SPAN_ARG(span_first(name, 64)), known == OF_KEY ? OF_KEY_WORDS : OF_TARGET_WORDS,
		near ? ": did you mean " : "", near ? near : "", near ? "=?" : "");
}

/* Cuts "NAME=VALUE" in two; which of the known ones it is. */
static enum err read_pair(struct span word, unsigned known, unsigned *given, enum said *which,
	struct span *value, struct fault *why)
{
	const size_t equals = span_index(word, '=');
	const struct span name = span_first(word, equals);
	unsigned i = 0;
	while (i < SAID_COUNT && !((known & 1U << i) && span_is(name, names[i])))
		i++;
	if (i == SAID_COUNT)
		return no_word(name, known, why);
	if (equals == word.n)
		return fault_set(why, ERR_MISCONFIGURED, "%s is followed by an equals sign: %s=...",
			names[i], names[i]);
	if (*given & 1U << i)
		return fault_set(why, ERR_MISCONFIGURED, "%s= is there twice", names[i]);
	*given |= 1U << i;
	*which = (enum said)i;
	*value = span_skip(word, equals + 1);
	if (value->n == 0)
		return fault_set(why, ERR_MISCONFIGURED,
			"%s= has nothing behind it: there is no space around the sign", names[i]);
	return OK;
}

static enum err read_number(const char *name, struct span value, int64_t min, int64_t max,
	int64_t *to, struct fault *why)
{
	if (num_i64(value, to) && *to >= min && *to <= max)
		return OK;
	return fault_set(why, ERR_MISCONFIGURED,
		"%s= is a whole number from %" PRId64 " to %" PRId64, name, min, max);
}

/* "a*,b": patterns with commas between. */
static enum err read_patterns(
	const char *name, struct span value, struct arena *a, struct words *to, struct fault *why)
{
	size_t n = 1;
	for (size_t i = 0; i < value.n; i++)
		n += value.p[i] == ',';
	struct span own;
	enum err err = copied(a, value, &own, why);
	if (err)
		return err;
	to->list = arena_array(a, n, sizeof *to->list);
	if (!to->list)
		return fault_set(why, ERR_NO_MEMORY, "no memory for the configuration");
	to->n = 0;
	for (struct span rest = own; span_is_set(rest);) {
		const struct span one = span_cut(&rest, ',');
		if (one.n == 0)
			return fault_set(why, ERR_MISCONFIGURED,
				"%s= is a list with commas and no spaces, and one of it is empty",
				name);
		to->list[to->n++] = one;
	}
	return OK;
}

static enum err read_needs(struct span value, unsigned *to, struct fault *why)
{
	for (struct span rest = value; span_is_set(rest);) {
		const struct span one = span_cut(&rest, ',');
		unsigned i = 0;
		while (i < CAPABILITY_COUNT && !span_is(one, capabilities[i]))
			i++;
		if (i == CAPABILITY_COUNT)
			return fault_set(why, ERR_MISCONFIGURED,
				"needs= has no word \"%.*s\": there are images, audio, video, "
				"files, "
				"tools, schema and reasoning, with commas between",
				SPAN_ARG(span_first(one, 64)));
		*to |= 1U << i;
	}
	return OK;
}

static enum err read_budget(struct span value, int64_t *to, struct fault *why)
{
	return num_money_nusd(value, to)
		       ? OK
		       : bad(why, "min_budget= is US dollars, as in 0.50, without a space");
}

/* ---- keys ---- */

static enum err read_label(struct span label, struct fault *why)
{
	for (size_t i = 0; i < label.n; i++) {
		const char c = label.p[i];
		const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				      (c >= '0' && c <= '9') || (c && strchr("._-", c));
		if (!is_plain)
			return bad(why, "key_label is a name of letters, digits, dots, hyphens and "
					"underscores, and behind it " OF_KEY_WORDS);
	}
	return label.n > LABEL_BYTES ? fault_set(why, ERR_MISCONFIGURED,
					       "key_label is at most %d bytes long", LABEL_BYTES)
				     : OK;
}

enum err key_rule_read(struct span value, struct arena *a, struct key_rule *to, struct fault *why)
{
	struct span rest = value, word = next_word(&rest), said;
	unsigned given = 0;
	enum said which;
	*to = (struct key_rule){.weight = 0};
	enum err err = read_label(word, why);
	if (!err)
		err = copied(a, word, &to->label, why);
	while (!err && (word = next_word(&rest)).n > 0) {
		err = read_pair(word, OF_KEY, &given, &which, &said, why);
		if (!err && which == SAID_WEIGHT)
			err = read_number("weight", said, 1, ROUTE_WEIGHT_MAX, &to->weight, why);
		else if (!err)
			err = read_patterns("model", said, a, &to->models, why);
	}
	return err;
}

/* ---- targets ---- */

static enum err read_said(enum said which, struct span said, struct arena *a,
	struct target_rule *to, struct fault *why)
{
	switch (which) {
	case SAID_WEIGHT:
		return read_number("weight", said, 1, ROUTE_WEIGHT_MAX, &to->weight, why);
	case SAID_APP:
		return read_patterns("app", said, a, &to->apps, why);
	case SAID_TAG:
		return read_patterns("tag", said, a, &to->tags, why);
	case SAID_MIN_INPUT:
		return read_number("min_input", said, 0, INT32_MAX, &to->min_input, why);
	case SAID_MAX_INPUT:
		return read_number("max_input", said, 0, INT32_MAX, &to->max_input, why);
	case SAID_NEEDS:
		return read_needs(said, &to->needs, why);
	case SAID_MIN_BUDGET:
		return read_budget(said, &to->min_budget_nusd, why);
	case SAID_MODEL: /* a key's alone */
	case SAID_COUNT:
		break;
	}
	return ERR_INTERNAL;
}

static enum err read_name(
	struct span *rest, struct arena *a, struct target_rule *to, struct fault *why)
{
	const struct span name = next_word(rest);
	const size_t slash = span_index(name, '/');
	*to = (struct target_rule){.min_input = -1, .max_input = -1, .min_budget_nusd = -1};
	if (slash == 0 || slash + 1 >= name.n)
		return bad(why, "a target is PROVIDER/MODEL");
	if (!http_header_is_sound(SPAN("x"), name))
		return bad(why, "this text has a character that no header can carry");
	enum err err = copied(a, span_first(name, slash), &to->provider, why);
	if (!err)
		err = copied(a, span_skip(name, slash + 1), &to->model, why);
	return err;
}

enum err target_rule_read(
	struct span value, struct arena *a, struct target_rule *to, struct fault *why)
{
	struct span rest = value, word, said;
	unsigned given = 0;
	enum said which;
	enum err err = read_name(&rest, a, to, why);
	while (!err && (word = next_word(&rest)).n > 0) {
		if (span_index(word, '=') == word.n)
			return fault_set(why, ERR_MISCONFIGURED,
				"a model's name has no spaces, and \"%.*s\" is none of the words "
				"that may stand behind it: " OF_TARGET_WORDS,
				SPAN_ARG(span_first(word, 64)));
		err = read_pair(word, OF_TARGET, &given, &which, &said, why);
		if (!err)
			err = read_said(which, said, a, to, why);
	}
	if (!err && to->max_input >= 0 && to->min_input > to->max_input)
		err = bad(why, "min_input= is more than max_input=: no prompt would fit");
	return err;
}

enum err fallback_rule_read(
	struct span value, struct arena *a, struct target_rule *to, struct fault *why)
{
	struct span rest = value;
	const enum err err = read_name(&rest, a, to, why);
	if (!err && span_trim(rest).n > 0)
		return bad(why, "a fallback is PROVIDER/MODEL alone: a model's name has no spaces, "
				"and conditions are for target");
	return err;
}

/* ---- single values ---- */

enum err hedge_read(struct span value, int64_t *to, struct fault *why)
{
	*to = 0;
	if (span_is(value, "never"))
		return OK;
	if (span_is(value, "p95"))
		*to = HEDGE_P95;
	else if (!num_duration_us(value, to))
		return bad(why, "hedge is never, p95, or a time with its unit, as in 800ms or 2s");
	else if (*to < HEDGE_MIN_US || *to > HEDGE_MAX_US)
		return bad(why, "hedge is from 10ms to 1h, or p95, or never");
	return OK;
}

enum err min_rate_read(struct span value, int64_t *to, struct fault *why)
{
	struct span unit = value;
	const struct span amount = span_trim(span_cut(&unit, '/'));
	*to = 0;
	if (span_is(value, "never"))
		return OK;
	unit = span_is_set(unit) ? span_trim(unit) : SPAN_NONE;
	if ((!span_is(unit, "s") && !span_is(unit, "second")) || !num_i64(amount, to) || *to < 1 ||
		*to > RATE_MAX)
		return bad(why, "min_rate is never, or characters a second, as in 5/s: from 1 to "
				"100000");
	return OK;
}
