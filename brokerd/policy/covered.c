/* covered.c - one rule against another, by each of the things that say whom it is for. */
#include "brokerd/policy/covered.h"

/* Is all that fits one of `narrow` fitted by one of `wide`? A * of a narrow pattern is met only by a * of a wide one. */
static bool covers_words(const struct words *wide, const struct words *narrow)
{
	for (size_t i = 0; i < narrow->n; i++) {
		if (!words_fit(wide, narrow->list[i]))
			return false;
	}
	return true;
}

static bool covers_bits(uint32_t wide, uint32_t narrow)
{
	return wide == 0 || (narrow != 0 && (narrow & ~wide) == 0);
}

/* Who has a socket of its own comes by that alone. */
static uint32_t sockets_of(const struct policy_rule *r)
{
	const bool is_of_apps = r->kinds == UINT32_C(1) << PEER_KIND_APP;
	return is_of_apps ? UINT32_C(1) << PEER_SOCKET_APP : r->sockets;
}

static bool covers_names(const struct words *wide, const struct words *narrow)
{
	return wide->n == 0 || (narrow->n > 0 && covers_words(wide, narrow));
}

/* Without any it is for those who have none. */
static bool covers_profiles(const struct words *wide, const struct words *narrow)
{
	return (wide->n == 0) == (narrow->n == 0) && covers_words(wide, narrow);
}

/* Without any it is for root and for the broker's own user, who need not be the one that looks. */
static bool covers_users(const struct words *wide, const struct words *narrow)
{
	if (narrow->n == 0)
		return wide->n == 0 || words_fit(wide, SPAN("*"));
	if (wide->n > 0)
		return covers_words(wide, narrow);
	for (size_t i = 0; i < narrow->n; i++) {
		if (!span_is(narrow->list[i], "0"))
			return false;
	}
	return true;
}

static bool covers(const struct policy_rule *wide, const struct policy_rule *narrow)
{
	return covers_bits(wide->kinds, narrow->kinds) &&
	       covers_bits(wide->sockets, sockets_of(narrow)) &&
	       wide->confidence <= narrow->confidence &&
	       covers_users(&wide->users, &narrow->users) &&
	       covers_profiles(&wide->profiles, &narrow->profiles) &&
	       covers_names(&wide->names, &narrow->names);
}

const struct policy_rule *policy_covering(const struct config *c, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (covers(&c->policy[k], &c->policy[i]))
			return &c->policy[k];
	}
	return NULL;
}

void policy_say_covered(const struct config *c, struct buf *to)
{
	for (size_t i = 0; i < c->n_policy; i++) {
		const struct policy_rule *r = &c->policy[i];
		const struct policy_rule *before = r->is_builtin ? NULL : policy_covering(c, i);
		if (before)
			buf_print(to,
				"[policy \"%.*s\"] (%.*s) never holds: [policy \"%.*s\"] (%.*s) "
				"comes "
				"before it and fits whoever it fits\n",
				SPAN_ARG(span_first(r->name, 64)), SPAN_ARG(r->said_at),
				SPAN_ARG(span_first(before->name, 64)), SPAN_ARG(before->said_at));
	}
}
