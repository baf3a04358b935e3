/* test_pinned.c - is who calls kept once for all that say the same? */
#include "brokerd/front/pinned.h"

#include <stdio.h>

#include "protocol/base/err.h"
#include "tests/lib/tap.h"

static struct peer_id peer(int pid, const char *app)
{
	struct peer_id p;
	memset(&p, 0, sizeof p);
	p.pid = pid;
	fault_text(p.app, sizeof p.app, span_str(app));
	return p;
}

int main(void)
{
	struct pinned *all = NULL, *many[100];
	const struct peer_id a = peer(1, ""), b = peer(1, "notes"), c = peer(2, "");
	struct peer_id again = peer(1, "");
	memset((char *)&again + offsetof(struct peer_id, via) + sizeof again.via, 0xff,
		sizeof again - offsetof(struct peer_id, via) - sizeof again.via);

	struct pinned *pa = pinned_get(&all, &a);
	ok(pa && pa->peer.pid == 1, "the first is new");
	ok(pinned_get(&all, &again) == pa, "the same is not, whatever is behind its last member");
	struct pinned *pb = pinned_get(&all, &b), *pc = pinned_get(&all, &c);
	ok(pb != pa && pc != pa && pb != pc, "what differs in anything is another");
	ok(pinned_get(&all, &a) == pa && pinned_get(&all, &b) == pb, "each is found");
	is_uint(pa->n_holders, 3, "and knows how many hold it");
	pinned_put(&all, pb);
	pinned_put(&all, pb);
	pinned_put(&all, pc);
	ok(all == pa && !pa->next, "whom nobody holds any more is gone");

	for (size_t i = 0; i < COUNT_OF(many); i++) {
		const struct peer_id p = peer(10 + (int)i, "");
		many[i] = pinned_get(&all, &p);
	}
	ok(pinned_get(&all, &many[99]->peer) == many[99], "of very many the last are looked at");
	pinned_put(&all, many[99]);
	struct pinned *twin = pinned_get(&all, &a);
	ok(twin && twin != pa, "and one that is far behind is kept twice, rather than sought");
	for (size_t i = 0; i < COUNT_OF(many); i++)
		pinned_put(&all, many[i]);
	pinned_put(&all, twin);
	for (int i = 0; i < 3; i++)
		pinned_put(&all, pa);
	ok(!all, "in the end nothing is left");
	return tap_done();
}
