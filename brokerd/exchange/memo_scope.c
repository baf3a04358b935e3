/* memo_scope.c - a word for how far it goes, the user, and what is known of the program. */
#include "brokerd/exchange/memo_scope.h"

#include <assert.h>
#include <string.h>

/* There is room for the longest. */
static_assert(MEMO_SCOPE_BYTES > sizeof "run:4294967295:::" + PEER_TEXT_BYTES +
					 sizeof((const struct peer_id *)0)->instance +
					 sizeof((const struct peer_id *)0)->name,
	"a scope has no room");

static void put(struct memo_scope *s, const char *text)
{
	const size_t n = strlen(text);
	memcpy(s->text + s->n, text, n);
	s->n += n;
}

static void put_uid(struct memo_scope *s, uid_t uid)
{
	char digits[16];
	size_t at = sizeof digits - 1;
	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + uid % 10);
	while ((uid /= 10) > 0);
	put(s, digits + at);
}

bool memo_scope(const struct peer_id *p, enum policy_scope scope, struct memo_scope *s)
{
	char who[PEER_TEXT_BYTES];
	const bool is_known = peer_is_open(p) || (p->name[0] && !p->is_claim);
	s->n = 0;
	if (scope == POLICY_SCOPE_HOST) {
		put(s, "host");
		return true;
	}
	put(s, scope == POLICY_SCOPE_USER ? "user:" : is_known ? "app:" : "run:");
	put_uid(s, p->uid);
	if (scope == POLICY_SCOPE_USER)
		return true;
	peer_grant_text(p, who);
	put(s, ":");
	put(s, who);
	if (is_known)
		return true;
	put(s, ":");
	put(s, p->instance);
	put(s, ":");
	put(s, p->name);
	return p->instance[0];
}
