/* organs.h - what may an exchange call?
 * Built by broker.c and handed over whole; nothing here is owned. */
#ifndef BROKERD_EXCHANGE_ORGANS_H
#define BROKERD_EXCHANGE_ORGANS_H
#include "brokerd/audit/audit.h"
#include "brokerd/cache/asked.h"
#include "brokerd/cache/semantic.h"
#include "brokerd/config/config.h"
#include "brokerd/exchange/again.h"
#include "brokerd/exchange/caution.h"
#include "brokerd/exchange/leavings.h"
#include "brokerd/exchange/memo.h"
#include "brokerd/exchange/repair.h"
#include "brokerd/exchange/spare.h"
#include "brokerd/exchange/told.h"
#include "brokerd/exchange/trace.h"
#include "brokerd/exchange/turns.h"
#include "brokerd/ledger/counts.h"
#include "brokerd/ledger/drift.h"
#include "brokerd/ledger/journal.h"
#include "brokerd/ledger/recent.h"
#include "brokerd/limit/fit.h"
#include "brokerd/loop/loop.h"
#include "brokerd/loop/worker.h"
#include "brokerd/policy/consent.h"
#include "brokerd/policy/token.h"
#include "brokerd/route/health.h"
#include "brokerd/route/holders.h"
#include "brokerd/store/items.h"
#include "brokerd/store/prompts.h"
#include "brokerd/store/responses.h"
#include "brokerd/transport/transport.h"
#include "brokerd/vault/vault.h"

/* Random bytes, drawn for many exchanges at once: each draw is a system call. */
#define DRAWN_BYTES ((size_t)1536)
struct drawn {
	unsigned char bytes[DRAWN_BYTES];
	size_t left; /* at their end */
};

struct organs {
	struct loop *loop;
	struct workers *workers;
	struct config *config;       /* the current one: an exchange keeps a reference of its own */
	struct catalogue *catalogue; /* facts of models; the configuration has it too */
	struct fault catalogue_fault; /* what is wrong with the file of what was imported */
	struct audit *audit; /* who was allowed, denied or failed to do what; NULL is fine */
	struct vault *vault;
	struct transport *transport;
	struct tokens *tokens;
	struct limiter *limiter;     /* how much of everything callers may have */
	struct turns *turns;         /* who waits for it */
	struct health *health;       /* how targets fare */
	struct holders *holders;     /* and what their caches hold; NULL is fine */
	struct traces *traces;       /* what became of the last requests; NULL is fine */
	struct counts *counts;       /* and of all, in figures; NULL is fine */
	struct recent *recent;       /* those that end, for who follows; NULL is fine */
	struct cautions cautions;    /* where they are let out one by one */
	struct told told_budgets;    /* soft ones that are over, as log and audit have them */
	struct journal *journal;     /* NULL: state cannot be kept, `ailment` says why */
	struct ledger *ledger;       /* NULL with it */
	struct responses *responses; /* answers kept for their callers */
	struct prompts *prompts;     /* what providers were asked; NULL is fine */
	struct cache *cache;         /* answers that are kept; NULL is fine */
	struct askeds asked;    /* and bodies whose answers were found there, as they were read */
	struct agains again;    /* and whole calls, as they were told */
	struct leader *leaders; /* who asks what others may join */
	struct tapes tapes;     /* what their answers take */
	struct semantic
		*semantic; /* what answers are there for words that mean the same; NULL is fine */
	unsigned char cache_secret[CACHE_SECRET_BYTES];
	struct items *items;           /* what callers drop and providers want back */
	struct app_tokens *app_tokens; /* by which programs say which application they are */
	struct grants *grants;         /* to whom a person has said yes, or no */
	struct consents *consents;     /* who asks a person */
	uid_t own_uid;                 /* the broker's */
	struct fault ailment; /* why the broker is degraded: told to every caller; OK: it is well */
	struct repairs repairs;     /* what providers were found to refuse */
	struct fit *fit;            /* how far off estimates of prompts are; NULL is fine */
	struct drifts drifts;       /* of which models it was said that their prices are wrong */
	struct exchange *exchanges; /* all that are open */
	size_t n_exchanges;
	struct leavings left;              /* of these, whose caller is gone; */
	struct leavings left_asked;        /* of which these had asked for a vector, */
	void (*on_left_end)(void *broker); /* and one such is over; NULL is fine */
	void *broker;
	size_t body_bytes, max_body_bytes; /* of all requests together, from their first piece on */
	struct spares spare_exchanges, spare_flights, spare_attempts;
	struct buf scratch; /* of what is packed to be hashed at once; borrowed for no longer */
	struct drawn drawn;
	uint64_t n_served; /* exchanges ended since the start */
	bool had_large; /* one of them took so much memory that what is free of it is worth giving back */
	bool is_draining;
};

#endif
