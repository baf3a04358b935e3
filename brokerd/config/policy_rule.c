/* policy_rule.c - the rules for a machine whose owner has written none, and patterns. */
#include "brokerd/config/policy_rule.h"

/* What is not known to be in the open has to be allowed by a person; what is not known at all is not let in.
 * A service may ask, and may see what there is, but changes nothing. Who shows an app token may do what its connection
 * may, and administers nothing. */
static const char rules[] = "[policy \"host\"]\n"
			    "kind = host\n"
			    "socket = main\n"
			    "operation = *\n"
			    "native = * * /\n"
			    "[policy \"service\"]\n"
			    "kind = service\n"
			    "socket = main\n"
			    "operation = use\n"
			    "operation = status\n"
			    "operation = usage\n"
			    "operation = metrics\n"
			    "operation = budget.list\n"
			    "[policy \"app\"]\n"
			    "kind = app\n"
			    "[policy \"token\"]\n"
			    "kind = token\n"
			    "operation = use\n"
			    "operation = native\n"
			    "native = * * /\n"
			    "[policy \"sandbox\"]\n"
			    "kind = flatpak\n"
			    "kind = snap\n"
			    "kind = container\n"
			    "kind = sandbox\n"
			    "kind = host\n"
			    "allow = ask\n"
			    "[policy \"unknown\"]\n"
			    "user = *\n"
			    "allow = no\n";

struct span policy_builtin_rules(void)
{
	return span_str(rules);
}

bool pattern_fits(struct span pattern, struct span text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++; /* it stands for nothing at first */
			mark = t;
		} else if (p < pattern.n && pattern.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1; /* for one more */
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool words_fit(const struct words *w, struct span text)
{
	for (size_t i = 0; i < w->n; i++) {
		if (pattern_fits(w->list[i], text))
			return true;
	}
	return false;
}

void words_json(struct json_out *o, const char *name, const struct words *w)
{
	if (w->n == 0)
		return;
	json_key(o, name);
	json_open(o, '[');
	for (size_t i = 0; i < w->n; i++)
		json_put_str(o, w->list[i]);
	json_close(o, ']');
}
