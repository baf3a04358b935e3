/* organs.h - what may an exchange call?
 * Built by broker.c and handed over whole; nothing here is owned. */
#ifndef BROKERD_EXCHANGE_ORGANS_H
#define BROKERD_EXCHANGE_ORGANS_H
#include "brokerd/audit/audit.h"
#include "brokerd/config/config.h"
#include "brokerd/exchange/caution.h"
#include "brokerd/exchange/leavings.h"
#include "brokerd/exchange/repair.h"
#include "brokerd/exchange/told.h"
#include "brokerd/exchange/trace.h"
#include "brokerd/exchange/turns.h"
#include "brokerd/ledger/drift.h"
#include "brokerd/ledger/journal.h"
#include "brokerd/limit/fit.h"
#include "brokerd/loop/loop.h"
#include "brokerd/loop/worker.h"
#include "brokerd/policy/consent.h"
#include "brokerd/policy/token.h"
#include "brokerd/route/health.h"
#include "brokerd/store/items.h"
#include "brokerd/store/prompts.h"
#include "brokerd/store/responses.h"
#include "brokerd/transport/transport.h"
#include "brokerd/vault/vault.h"

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
	struct limiter *limiter;       /* how much of everything callers may have */
	struct turns *turns;           /* who waits for it */
	struct health *health;         /* how targets fare */
	struct traces *traces;         /* what became of the last requests; NULL is fine */
	struct cautions cautions;      /* where they are let out one by one */
	struct told told_budgets;      /* soft ones that are over, as log and audit have them */
	struct journal *journal;       /* NULL: state cannot be kept, `ailment` says why */
	struct ledger *ledger;         /* NULL with it */
	struct responses *responses;   /* answers kept for their callers */
	struct prompts *prompts;       /* what providers were asked; NULL is fine */
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
	struct leavings left;              /* of these, whose caller is gone */
	size_t body_bytes, max_body_bytes; /* of all requests together, from their first piece on */
	uint64_t n_served;                 /* exchanges ended since the start */
	bool is_draining;
};

#endif
