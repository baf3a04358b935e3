/* broker.c - birth, reload, idling, draining, death. */
#include "brokerd/broker.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brokerd/accounts.h"
#include "brokerd/config/catalogue_file.h"
#include "brokerd/config/limits_file.h"
#include "brokerd/config/price_check.h"
#include "brokerd/confine.h"
#include "brokerd/exchange/memo_asked.h"
#include "brokerd/exchange/organs.h"
#include "brokerd/exchange/tokens.h"
#include "brokerd/front/sockets.h"
#include "brokerd/ledger/counts.h"
#include "brokerd/ledger/retention.h"
#include "brokerd/log/log.h"
#include "brokerd/loop/resume.h"
#include "brokerd/relearn.h"
#include "brokerd/transport/warm.h"
#include "brokerd/value/state_folder.h"
#include "brokerd/vigil.h"

#define WORKERS 4

/* Requests that are held at once, all callers together. */
#define BODIES_BYTES ((size_t)1024 * 1024 * 1024)

/* After so many calls at once the heap holds much that nobody will want again soon. */
#define CROWD    64
#define QUIET_US INT64_C(1000000)

#define DAY_US INT64_C(86400000000)

/* What a service manager allows us beyond the drain, to write down how it ended. */
#define LAST_US INT64_C(15000000)

/* How often a broker that made its own socket looks whether it is still there. */
#define REACH_US INT64_C(10000000)

/* How long a broker without state waits before it looks whether it can have it. */
#define MEND_US INT64_C(1000000)

struct broker {
	bool is_cache_open; /* its keys are the vault's */
	struct broker_options options;
	struct organs organs;
	struct admin_env admin;
	struct sessions sessions;
	struct sockets sockets;
	struct loop_signal term, interrupt, hangup, user;
	struct loop_timer drain, idle, auto_lock, watchdog, quiet, key_over, reach;
	struct resume_watch resume;
	struct warm warm;
	struct vigil vigil;
	struct job trim; /* gives the heap's free pages back */
	bool is_swollen, is_trimming;
	struct loop_task settle; /* after a change: is there still something to wait for? */
	int64_t active_us;       /* when somebody last did something */
	/* all may be, and each is mended by itself; the last is of the disk, that was there once */
	struct fault config_ailment, state_ailment, disk_ailment;
	struct job reader_leave; /* of the ledger */
	bool is_reader_leaving;
	struct relearn relearn;      /* from the ledger, once there is one */
	struct retention *retention; /* of the ledger; NULL with it */
	struct loop_timer mend;
	struct mending {
		struct job job;
		struct accounts accounts;
		int64_t now_us;
		struct fault why;
	} mending;       /* the state, on the lane of the ledger */
	bool is_closing; /* nothing new is begun */
};

static void log_fault(const char *event, const struct fault *why)
{
	char said[2 * sizeof why->message];
	log_error(event, "why=%s", log_quote(said, sizeof said, span_str(why->message)));
}

/* For the audit log: what the broker did by itself, or what befell it. */
static void note(struct broker *b, const char *what, struct span subject, struct span detail)
{
	const struct audit_event e = {.what = what, .subject = subject, .detail = detail};
	audit_record(b->organs.audit, &e);
}

static void note_failed(
	struct broker *b, const char *what, enum err err, struct span subject, struct span detail)
{
	const struct audit_event e = {.what = what,
		.verdict = AUDIT_FAILED,
		.err = err,
		.subject = subject,
		.detail = detail};
	audit_record(b->organs.audit, &e);
}

static struct fault worst(const struct broker *b)
{
	if (b->config_ailment.err)
		return b->config_ailment;
	return b->state_ailment.err ? b->state_ailment : b->disk_ailment;
}

/* Why the broker serves nobody, of what is wrong with it: told to every caller. */
static void note_ailments(struct broker *b)
{
	struct fault *ailment = &b->organs.ailment;
	const enum err before = ailment->err;
	*ailment = worst(b);
	if (ailment->err && !b->config_ailment.err)
		note_failed(
			b, "broker.degraded", ailment->err, SPAN_NONE, span_str(ailment->message));
	else if (ailment->err)
		note_failed(b, "broker.degraded", ailment->err, SPAN_NONE, SPAN_NONE);
	else if (before)
		note(b, "broker.mended", SPAN_NONE, SPAN_NONE);
}

/* ---- configuration ---- */

/* The records of the audit log have MACs while the vault is open. */
static void audit_follow(struct broker *b)
{
	const struct organs *o = &b->organs;
	unsigned char root[AUDIT_ROOT_BYTES];
	const bool is_open = vault_state(o->vault) == VAULT_OPEN;
	if (!o->audit || is_open == audit_is_keyed(o->audit))
		return;
	if (is_open && vault_subkey(o->vault, VAULT_PURPOSE_AUDIT, root))
		audit_key(o->audit, root);
	else
		audit_no_key(o->audit);
	sodium_memzero(root, sizeof root);
}

/* The answers that are kept follow the vault: open, it has a key for their files. */
static void responses_follow(struct broker *b)
{
	const struct organs *o = &b->organs;
	unsigned char key[RESPONSES_KEY_BYTES];
	const struct responses_limits limits = {
		.bytes = o->config->keep_responses_mib * (int64_t)MIB,
		.age_s = o->config->keep_responses_us / 1000000};
	const bool is_open = vault_state(o->vault) == VAULT_OPEN;
	if (is_open == responses_is_open(o->responses))
		return;
	if (is_open && vault_subkey(o->vault, VAULT_PURPOSE_RESPONSES, key))
		responses_open(o->responses, key, &limits);
	else
		responses_close(o->responses);
	sodium_memzero(key, sizeof key);
}

/* So do the prompts that are kept. */
static void prompts_follow(struct broker *b)
{
	const struct organs *o = &b->organs;
	unsigned char key[PROMPTS_KEY_BYTES];
	const bool is_open = vault_state(o->vault) == VAULT_OPEN;
	if (is_open == prompts_is_open(o->prompts))
		return;
	if (is_open && vault_subkey(o->vault, VAULT_PURPOSE_PROMPTS, key))
		prompts_open(o->prompts, key);
	else
		prompts_close(o->prompts);
	sodium_memzero(key, sizeof key);
}

/* So does the cache: open, its keys are the same in every run, and its disk can be read. In between it is in memory alone, under
 * keys of this run. */
static void cache_follow(struct broker *b)
{
	struct organs *o = &b->organs;
	unsigned char key[CACHE_SEAL_BYTES];
	const bool is_open = vault_state(o->vault) == VAULT_OPEN;
	if (!o->cache || is_open == b->is_cache_open)
		return;
	memo_forget_asked(o);
	b->is_cache_open = is_open && vault_subkey(o->vault, VAULT_PURPOSE_CACHE, key) &&
			   vault_subkey(o->vault, VAULT_PURPOSE_CACHE_KEY, o->cache_secret);
	if (b->is_cache_open) {
		cache_open(o->cache, key);
	} else {
		cache_close(o->cache);
		randombytes_buf(o->cache_secret, sizeof o->cache_secret);
	}
	sodium_memzero(key, sizeof key);
}

/* So much of what answers may take in memory, bodies that were read may take beside it, and calls as they were told. */
#define ASKED_PART 16
#define AGAIN_PART 16

static void limit_cache(struct broker *b)
{
	struct organs *o = &b->organs;
	const struct cache_limits limits = {
		.memory_bytes = o->config->cache_memory_mib * (int64_t)MIB,
		.disk_bytes = o->config->cache_disk_mib * (int64_t)MIB,
		.entry_bytes = o->config->cache_entry_kib * (int64_t)KIB};
	o->tapes.most = (size_t)o->config->cache_shared_mib * MIB;
	const struct semantic_limits vectors = {
		.vectors = span_is_set(o->config->embed_model) ? o->config->vectors : 0,
		.bytes = o->config->vectors_mib * (int64_t)MIB};
	if (o->cache && !b->config_ailment.err) {
		cache_limit(o->cache, &limits);
		memo_forget_asked(o);
		o->asked.most = (size_t)limits.memory_bytes / ASKED_PART;
		o->again.most = (size_t)limits.memory_bytes / AGAIN_PART;
		semantic_limit(o->semantic, &vectors);
	}
}

/* A file that cannot be read does not say that none are kept: what there was would go. */
static void limit_prompts(struct broker *b)
{
	const struct organs *o = &b->organs;
	const struct prompts_limits limits = {.bytes = o->config->keep_prompts_mib * (int64_t)MIB,
		.age_s = o->config->keep_prompts_us / 1000000};
	if (o->prompts && !b->config_ailment.err)
		prompts_limit(o->prompts, &limits);
}

/* Before the accounts are open there is no limiter. */
static void configure_limits(struct broker *b)
{
	const struct organs *o = &b->organs;
	const struct limit_now now = {
		loop_now_us(o->loop), loop_wall_us(o->loop), loop_boot_us(o->loop)};
	if (o->limiter)
		limiter_configure(o->limiter, o->config, &now);
}

static void use_config(struct broker *b, struct config *c)
{
	enum log_level level;
	agains_clear(&b->organs.again);
	config_unref(b->organs.config);
	b->organs.config = c;
	if (b->retention)
		retention_keep(b->retention, c->ledger_keep_us);
	if (b->organs.responses) {
		responses_close(
			b->organs.responses); /* what it may keep may be another thing now */
		responses_follow(b);
	}
	config_set_catalogue(c, b->organs.catalogue);
	configure_limits(b);
	if (log_level_from(c->log_level, &level))
		log_set_level(level);
}

/* Those that were set by hand and name what is gone since. */
static void log_unfit(const struct config *c)
{
	for (size_t i = 0; i < c->n_limits; i++) {
		const struct limit_rule *r = &c->limits[i];
		char name[256], said[1024];
		if (span_is_set(r->unfit))
			log_warn("limit.unfit", "limit=%s why=%s",
				log_quote(name, sizeof name, r->name),
				log_quote(said, sizeof said, r->unfit));
	}
}

/* Where in a configuration the fault is, without a word of what stands there. */
static struct span place_of(const struct fault *why)
{
	const struct span message = span_str(why->message);
	const size_t n = span_find(message, SPAN(": "));
	const struct span place = span_first(message, n);
	const bool has_line = n < message.n && n > 0 && place.p[n - 1] >= '0' &&
			      place.p[n - 1] <= '9' && span_index(place, ':') < n;
	return has_line ? place : SPAN_NONE;
}

/* Reads the file; where it is bad the former one stays, or, at start, the built-in one serves to
 * tell every caller why nothing works. */
static void load_config(struct broker *b)
{
	struct fault why = FAULT_NONE;
	const struct span path = span_str(b->options.config_path);
	struct config *c =
		config_load(b->options.config_path, !b->options.is_config_required, &why);
	if (c && (limits_file_add(c, b->options.state_dir, &why) ||
			 config_check_prices(c, b->organs.catalogue, &why))) {
		config_unref(c);
		c = NULL;
	}
	if (c) {
		note(b, "config.load", path, SPAN_NONE);
		log_unfit(c);
		b->admin.config_fault = FAULT_NONE;
		use_config(b, c);
		b->config_ailment = FAULT_NONE;
		limit_prompts(b);
		limit_cache(b);
		note_ailments(b);
		return;
	}
	log_fault("config.bad", &why);
	note_failed(b, "config.load", why.err, path, place_of(&why));
	b->admin.config_fault = why;
	if (b->organs.config)
		return;
	fault_set(&b->config_ailment, ERR_MISCONFIGURED, "%s; mend it, then `llmb config reload`",
		why.message);
	note_ailments(b);
	c = config_parse(SPAN(""), "built-in", &why);
	if (!c) {
		log_fault("config.none", &why);
		abort(); /* the built-in rows are ours */
	}
	use_config(b, c);
}

static void reload(struct admin_env *env)
{
	struct broker *b = container_of(env, struct broker, admin);
	service_tell(&b->options.service, "RELOADING=1");
	load_config(b);
	if (!env->config_fault.err) {
		transport_forget_connections(b->organs.transport);
		tokens_forget(b->organs.tokens);
		tokens_prepare(b->organs.tokens, b->organs.config);
		health_forget(b->organs.health, SPAN_NONE, SPAN_NONE);
		log_info("config.loaded", "path=%s", b->options.config_path);
	}
	service_tell(&b->options.service, "READY=1\nSTATUS=%s",
		env->config_fault.err   ? env->config_fault.message
		: b->organs.ailment.err ? b->organs.ailment.message
					: "serving");
	loop_timer_stop(&b->auto_lock); /* its time may be another now */
	loop_later(b->organs.loop, &b->settle);
}

/* ---- state ---- */

static void ail(struct broker *b, const struct fault *why)
{
	log_fault("broker.degraded", why);
	b->state_ailment = *why;
	note_ailments(b);
}

static void keep_rows(struct broker *b)
{
	const struct organs *o = &b->organs;
	b->retention = retention_new(o->loop, o->workers, o->ledger);
	retention_keep(b->retention, o->config->ledger_keep_us);
}

static void tell_state(const struct broker *b)
{
	const struct fault *ailment = &b->organs.ailment;
	service_tell(&b->options.service, "STATUS=%s", ailment->err ? ailment->message : "serving");
}

static void reader_leave_run(struct job *job)
{
	const struct broker *b = container_of(job, struct broker, reader_leave);
	ledger_reader_let_go(ledger_reader(b->organs.ledger));
}

static void reader_leave_done(struct job *job)
{
	container_of(job, struct broker, reader_leave)->is_reader_leaving = false;
}

/* One that is waiting still will do, and one that is at it has nothing open again before the ledger is back. */
static void reader_leave(struct broker *b)
{
	if (b->is_reader_leaving)
		return;
	b->is_reader_leaving = true;
	b->reader_leave = (struct job){.run = reader_leave_run, .on_done = reader_leave_done};
	workers_submit(b->organs.workers, &b->reader_leave, LEDGER_READ_LANE);
}

/* What keeps the accounts has let go of the disk: so does all else that has files open there. */
static void on_away(void *context, const struct fault *why)
{
	struct broker *b = context;
	const bool is_new = b->disk_ailment.err == OK;
	fault_set(&b->disk_ailment, ERR_STORAGE_FULL,
		"what is asked cannot be recorded, so it is not sent: %s. It is tried again by "
		"itself",
		why->message);
	if (is_new) {
		log_fault("broker.degraded", &b->disk_ailment);
		note_ailments(b);
		reader_leave(b);
		audit_let_go(b->organs.audit);
		prompts_let_go(b->organs.prompts);
		cache_let_go(b->organs.cache);
	}
	b->organs.ailment = worst(b);
	tell_state(b);
}

static void on_back(void *context)
{
	struct broker *b = context;
	b->disk_ailment = FAULT_NONE;
	note_ailments(b);
	audit_retry(b->organs.audit);
	/* what was said meanwhile may have gone to where the disk was not, or to none */
	grants_write(b->organs.grants);
	app_tokens_write(b->organs.app_tokens);
	log_info("broker.mended", "state=%s", b->options.state_dir);
	tell_state(b);
}

/* Another limiter: nothing was let through by the one before. */
static bool use_accounts(struct broker *b, const struct accounts *a)
{
	struct organs *o = &b->organs;
	struct turns *turns = turns_new(o->loop, a->limiter);
	if (!turns)
		return false;
	turns_free(o->turns);
	limiter_free(o->limiter);
	o->turns = turns;
	o->ledger = a->ledger;
	o->journal = a->journal;
	o->limiter = a->limiter;
	configure_limits(b);
	if (o->ledger) {
		journal_watch(o->journal, (struct journal_watch){on_away, on_back, b});
		relearn(&b->relearn, o->workers, o->ledger, loop_wall_us(o->loop), &o->fit);
		keep_rows(b);
	}
	return true;
}

/* Without accounts nothing may be sent, but callers are told why. */
static bool open_state(struct broker *b)
{
	struct organs *o = &b->organs;
	struct fault why = FAULT_NONE;
	struct accounts a = {.ledger = NULL};
	const char *dir = b->options.state_dir;
	if (state_folder_make(dir, &why) != OK) {
		audit_close(o->audit); /* there is no place for it */
		o->audit = NULL;
	} else {
		(void)accounts_open(&a, dir, o->loop, o->workers, loop_wall_us(o->loop), &why);
	}
	if (why.err) {
		ail(b, &why);
		loop_timer_set(o->loop, &b->mend, MEND_US);
		a.limiter = limiter_new();
	}
	return a.limiter && use_accounts(b, &a);
}

/* A disk that was full, or could only be read, when we started: is it better now? On a worker's thread. */
static void mend_run(struct job *job)
{
	struct broker *b = container_of(job, struct broker, mending.job);
	struct mending *m = &b->mending;
	const struct organs *o = &b->organs;
	const char *dir = b->options.state_dir;
	m->why = FAULT_NONE;
	m->accounts = (struct accounts){.ledger = NULL};
	if (state_folder_make(dir, &m->why) == OK)
		(void)accounts_open(&m->accounts, dir, o->loop, o->workers, m->now_us, &m->why);
}

static void mend_done(struct job *job)
{
	struct broker *b = container_of(job, struct broker, mending.job);
	struct organs *o = &b->organs;
	struct mending *m = &b->mending;
	if (b->is_closing) {
		accounts_close(&m->accounts);
		return;
	}
	if (!m->why.err && !use_accounts(b, &m->accounts)) {
		accounts_close(&m->accounts);
		fault_set(&m->why, ERR_NO_MEMORY, "out of memory");
	}
	if (m->why.err) {
		b->state_ailment = m->why; /* it may be another by now */
		o->ailment = worst(b);
		loop_timer_set(o->loop, &b->mend, MEND_US);
		return;
	}
	if (!o->audit) {
		o->audit = audit_open(o->workers, o->loop, b->options.state_dir, AUDIT_LIMITS);
		audit_follow(b);
	}
	b->state_ailment = FAULT_NONE;
	note_ailments(b);
	log_info("broker.mended", "state=%s", b->options.state_dir);
	tell_state(b);
}

static void on_mend(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, mend);
	b->mending.job.run = mend_run;
	b->mending.job.on_done = mend_done;
	b->mending.now_us = loop_wall_us(b->organs.loop);
	workers_submit(b->organs.workers, &b->mending.job, LEDGER_LANE);
}

/* What was imported stays in the state folder; a file that cannot be used costs the facts in it, and
 * nothing else. */
static enum err open_catalogue(struct broker *b, struct fault *why)
{
	struct organs *o = &b->organs;
	const enum err err = catalogue_load(b->options.state_dir, &o->catalogue, why);
	if (!o->catalogue)
		return err;
	if (err)
		log_fault("catalogue.unusable", why);
	o->catalogue_fault = err ? *why : FAULT_NONE;
	*why = FAULT_NONE;
	catalogue_set_day(o->catalogue, loop_wall_us(o->loop) / DAY_US);
	return OK;
}

static bool open_grants(struct broker *b)
{
	struct fault why = FAULT_NONE;
	b->organs.grants = grants_new(b->organs.workers, b->options.state_dir, &why);
	/* whom a person cut off must not come back by a broken line: not even once the disk is better */
	if (why.err) {
		loop_timer_stop(&b->mend);
		if (!b->state_ailment.err)
			ail(b, &why);
	}
	if (b->organs.grants)
		b->organs.consents = consents_new(b->organs.loop, b->organs.grants);
	return b->organs.consents != NULL;
}

static void on_tokens_gone(void *context, const struct app_token_id *ids, size_t n)
{
	sessions_end_tokens(context, ids, n);
}

/* One that cannot be used costs the tokens, and nothing else: none is known then. */
static bool open_app_tokens(struct broker *b)
{
	struct fault why = FAULT_NONE;
	b->organs.app_tokens = app_tokens_new(b->organs.workers, b->options.state_dir, &why);
	if (why.err)
		log_fault("tokens.unusable", &why);
	if (b->organs.app_tokens)
		app_tokens_on_gone(b->organs.app_tokens, on_tokens_gone, &b->sessions);
	return b->organs.app_tokens != NULL;
}

static const char *credentials_of(const struct broker *b)
{
	const char *folder = b->options.service.credentials;
	return folder[0] ? folder : NULL;
}

static bool open_vault(struct broker *b)
{
	struct organs *o = &b->organs;
	struct fault why = FAULT_NONE;
	char key_file[4096] = "";
	const struct span named = o->config->key_file;
	if (named.n > 0 && named.n < sizeof key_file)
		memcpy(key_file, named.p, named.n);
	const struct vault_paths paths = {
		.state_dir = b->options.state_dir,
		.key_file = key_file[0] ? key_file : NULL,
		.credentials = credentials_of(b),
	};
	o->vault = vault_new(o->workers, &paths, &why);
	if (why.err) {
		log_fault("vault.unusable", &why);
		note_failed(b, "vault.unlock", why.err, SPAN_NONE, SPAN("at start"));
	}
	if (o->vault && vault_state(o->vault) == VAULT_OPEN)
		note(b, "vault.unlock", SPAN_NONE, SPAN("at start, with nobody there"));
	return o->vault != NULL;
}

/* What a kernel does not give is no reason not to serve, but one to say so. */
static void warn(const char *event, const struct fault *why)
{
	char said[2 * sizeof why->message];
	log_warn(event, "why=%s", log_quote(said, sizeof said, span_str(why->message)));
}

static void try_memory(void)
{
	struct fault why = FAULT_NONE;
	if (!secret_memory_locks(&why))
		warn("memory.unlocked", &why);
}

static void confine_all(struct broker *b)
{
	struct fault why = FAULT_NONE;
	b->admin.is_confined = confine(&why) == OK;
	if (!b->admin.is_confined)
		warn("process.unconfined", &why);
}

/* The item store does the same. */
static void follow_vault(struct broker *b)
{
	if (vault_state(b->organs.vault) == VAULT_LOCKED)
		grants_end_session(b->organs.grants);
	unsigned char key[ITEMS_KEY_BYTES];
	struct items *items = b->organs.items;
	const bool is_open = vault_state(b->organs.vault) == VAULT_OPEN;
	responses_follow(b);
	prompts_follow(b);
	cache_follow(b);
	audit_follow(b);
	if (is_open == items_is_open(items))
		return;
	if (is_open && vault_subkey(b->organs.vault, VAULT_PURPOSE_ITEMS, key))
		items_open(items, key, loop_wall_us(b->organs.loop) / 1000000);
	else
		items_close(items);
	sodium_memzero(key, sizeof key);
}

static bool open_items(struct broker *b)
{
	char path[4096];
	(void)snprintf(path, sizeof path, "%.4000s/store/items", b->options.state_dir);
	b->organs.items = items_new(b->organs.workers, path, ITEMS_LIMITS);
	(void)snprintf(path, sizeof path, "%.4000s/store/responses", b->options.state_dir);
	b->organs.responses = responses_new(b->organs.workers, path);
	(void)snprintf(path, sizeof path, "%.4000s/prompts", b->options.state_dir);
	b->organs.prompts = prompts_new(b->organs.loop, b->organs.workers, path);
	(void)snprintf(path, sizeof path, "%.4000s/cache", b->options.state_dir);
	b->organs.cache = cache_new(b->organs.loop, b->organs.workers, path);
	b->organs.semantic = semantic_new(b->organs.workers);
	if (!b->organs.items || !b->organs.responses || !b->organs.prompts || !b->organs.cache)
		return false;
	limit_prompts(b);
	limit_cache(b);
	responses_follow(b);
	prompts_follow(b);
	cache_follow(b);
	audit_follow(b);
	unsigned char key[ITEMS_KEY_BYTES];
	if (vault_subkey(b->organs.vault, VAULT_PURPOSE_ITEMS, key))
		items_begin(b->organs.items, key, loop_wall_us(b->organs.loop) / 1000000);
	sodium_memzero(key, sizeof key);
	return true;
}

/* ---- idling and draining ---- */

static void finish(struct broker *b)
{
	loop_stop(b->organs.loop);
}

static void on_drained(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, drain);
	log_warn("broker.drain_over", "calls=%zu", b->organs.n_exchanges);
	finish(b);
}

static void begin_drain(struct broker *b, const char *reason)
{
	struct organs *o = &b->organs;
	if (o->is_draining) {
		finish(b); /* asked twice: now */
		return;
	}
	o->is_draining = true;
	note(b, "broker.stop", SPAN_NONE, span_str(reason));
	log_info("broker.stopping", "reason=%s calls=%zu", reason, o->n_exchanges);
	service_tell(&b->options.service, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64,
		o->config->drain_us + LAST_US);
	sockets_pause(&b->sockets);
	loop_timer_stop(&b->reach); /* a successor may listen there while we drain */
	consents_end(o->consents);
	recent_end(o->recent);
	turns_end(o->turns);
	loop_timer_set(o->loop, &b->drain, o->config->drain_us);
	sessions_drain(&b->sessions, reason, o->config->drain_us);
	loop_later(o->loop, &b->settle);
}

/* Would stopping now lose something that the next call does not bring back? */
static bool may_exit(const struct broker *b)
{
	const struct organs *o = &b->organs;
	return b->sessions.n == 0 && o->n_exchanges == 0 && !vault_is_busy(o->vault) &&
	       !sockets_would_go(&b->sockets) &&
	       (vault_state(o->vault) != VAULT_OPEN || vault_is_unattended(o->vault));
}

static void on_idle(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, idle);
	if (may_exit(b))
		begin_drain(b, "idle");
}

/* As ssh-agent does: drop every key, now. */
static void lock(struct broker *b, const char *reason)
{
	log_info("vault.locked", "reason=%s", reason);
	note(b, "vault.lock", SPAN_NONE, span_str(reason));
	vault_lock(b->organs.vault);
	transport_forget_connections(b->organs.transport);
	tokens_forget(b->organs.tokens);
	loop_later(b->organs.loop, &b->settle); /* it may idle now */
}

static void on_auto_lock(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, auto_lock);
	const int64_t after_us = b->organs.config->auto_lock_us;
	const int64_t left_us = b->active_us + after_us - loop_now_us(b->organs.loop);
	if (after_us == 0)
		return;
	if (left_us > 0 || b->organs.n_exchanges > 0) {
		loop_timer_set(b->organs.loop, t, left_us > 0 ? left_us : after_us);
		return;
	}
	if (vault_state(b->organs.vault) == VAULT_OPEN)
		lock(b, "idle");
}

/* Whatever was connected before the host slept is dead, or another network's. */
static void on_resume(struct resume_watch *w)
{
	struct broker *b = container_of(w, struct broker, resume);
	log_info("broker.resumed", "lock=%s", b->organs.config->is_locked_on_resume ? "yes" : "no");
	transport_forget_connections(b->organs.transport);
	if (b->organs.config->is_locked_on_resume && vault_state(b->organs.vault) == VAULT_OPEN)
		lock(b, "resume");
}

/* Keys that were replaced go when their time is over. */
static void expire_keys(struct broker *b)
{
	const int64_t now_us = loop_wall_us(b->organs.loop);
	const int64_t next_s = vault_expire(b->organs.vault, now_us / 1000000);
	if (next_s > 0)
		loop_timer_set(b->organs.loop, &b->key_over, next_s * 1000000 - now_us);
	else
		loop_timer_stop(&b->key_over);
}

static void on_key_over(struct loop_timer *t)
{
	expire_keys(container_of(t, struct broker, key_over));
}

static void trim_run(struct job *j)
{
	(void)j;
	malloc_trim(0);
}

static void trim_done(struct job *j)
{
	container_of(j, struct broker, trim)->is_trimming = false;
}

/* A crowd or something large has gone, and it has been quiet since. */
static void on_quiet(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, quiet);
	if (b->organs.n_exchanges > 0 || b->is_trimming)
		return;
	spare_done(&b->organs.spare_exchanges);
	spare_done(&b->organs.spare_flights);
	spare_done(&b->organs.spare_attempts);
	buf_done(&b->organs.scratch);
	b->is_swollen = false;
	b->is_trimming = true;
	b->trim = (struct job){.run = trim_run, .on_done = trim_done};
	workers_submit(b->organs.workers, &b->trim, 0);
}

/* Something came, went or ended: what is waited for may have changed. */
static void on_settle(struct loop_task *t)
{
	struct broker *b = container_of(t, struct broker, settle);
	struct organs *o = &b->organs;
	b->active_us = loop_now_us(o->loop);
	catalogue_set_day(o->catalogue, loop_wall_us(o->loop) / DAY_US); /* prices have dates */
	follow_vault(b);
	expire_keys(b);
	if (o->n_exchanges >= CROWD || o->had_large)
		b->is_swollen = true;
	o->had_large = false;
	if (b->is_swollen && o->n_exchanges == 0)
		loop_timer_set(o->loop, &b->quiet, QUIET_US);
	if (o->is_draining) {
		if (b->sessions.n == 0 && o->n_exchanges == 0)
			finish(b);
		return;
	}
	if (b->options.service.n_fds > 0 && o->config->idle_exit_us > 0 && may_exit(b))
		loop_timer_set(o->loop, &b->idle, o->config->idle_exit_us);
	else
		loop_timer_stop(&b->idle);
	if (o->config->auto_lock_us > 0 && !b->auto_lock.loop)
		loop_timer_set(o->loop, &b->auto_lock, o->config->auto_lock_us);
}

static void on_change(void *context)
{
	struct broker *b = context;
	loop_later(b->organs.loop, &b->settle);
}

static void on_admin_ended(struct admin_env *env)
{
	on_change(container_of(env, struct broker, admin));
}

/* Where it is not, the next caller starts another broker, which needs the state that this one holds. */
static void on_reach(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, reach);
	if (!sockets_is_reachable(&b->sockets)) {
		begin_drain(b, "unreachable");
		return;
	}
	loop_timer_set(b->organs.loop, t, REACH_US);
}

static void on_term(struct loop_signal *s)
{
	begin_drain(container_of(s, struct broker, term), "drain");
}

static void on_interrupt(struct loop_signal *s)
{
	begin_drain(container_of(s, struct broker, interrupt), "drain");
}

static void on_hangup(struct loop_signal *s)
{
	reload(&container_of(s, struct broker, hangup)->admin);
}

static void on_user(struct loop_signal *s)
{
	lock(container_of(s, struct broker, user), "signal");
}

static void on_watchdog(struct loop_timer *t)
{
	struct broker *b = container_of(t, struct broker, watchdog);
	service_tell(&b->options.service, "WATCHDOG=1");
	loop_timer_set(b->organs.loop, t, b->options.service.watchdog_us / 3);
}

/* ---- birth and death ---- */

/* One that cannot be served is no reason to leave the others alone. */
static enum err adopt_all(struct broker *b, struct fault *why)
{
	const struct service *s = &b->options.service;
	for (int i = 0; i < s->n_fds; i++) {
		if (sockets_adopt(&b->sockets, SERVICE_FIRST_FD + i, service_name(s, i), why) != OK)
			log_fault("listener.refused", why);
	}
	if (b->sockets.n == 0)
		return why->err;
	*why = FAULT_NONE;
	return OK;
}

static enum err listen_all(struct broker *b, struct fault *why)
{
	const struct broker_options *o = &b->options;
	sockets_init(&b->sockets, &b->sessions);
	const enum err err = o->service.n_fds > 0 ? adopt_all(b, why)
						  : sockets_bind(&b->sockets, o->socket_path, why);
	if (!err)
		b->admin.socket_path = sockets_main_path(&b->sockets);
	if (!err && o->service.n_fds == 0)
		loop_timer_set(b->organs.loop, &b->reach, REACH_US);
	b->admin.sockets = &b->sockets;
	return err;
}

/* Applications that were given a socket have it again. */
static void listen_for_apps(struct broker *b)
{
	const struct grant *g;
	for (size_t i = 0; (g = grants_at(b->organs.grants, i)); i++) {
		struct peer_id who;
		struct fault why = FAULT_NONE;
		const char *path;
		if (!g->has_socket || !peer_from_text(span_str(g->who), &who))
			continue;
		if (sockets_add_app(&b->sockets, span_str(who.name), g->profile, &path, &why) != OK)
			log_fault("app.no_socket", &why);
	}
}

static void watch_signals(struct broker *b)
{
	struct loop *l = b->organs.loop;
	LOOP_CALLS(&b->term, on_signal, on_term);
	LOOP_CALLS(&b->interrupt, on_signal, on_interrupt);
	LOOP_CALLS(&b->hangup, on_signal, on_hangup);
	LOOP_CALLS(&b->user, on_signal, on_user);
	loop_signal_set(l, &b->term, SIGTERM);
	loop_signal_set(l, &b->interrupt, SIGINT);
	loop_signal_set(l, &b->hangup, SIGHUP);
	loop_signal_set(l, &b->user, SIGUSR1);
	LOOP_CALLS(&b->drain, on_fire, on_drained);
	LOOP_CALLS(&b->idle, on_fire, on_idle);
	LOOP_CALLS(&b->auto_lock, on_fire, on_auto_lock);
	LOOP_CALLS(&b->watchdog, on_fire, on_watchdog);
	LOOP_CALLS(&b->quiet, on_fire, on_quiet);
	LOOP_CALLS(&b->key_over, on_fire, on_key_over);
	LOOP_CALLS(&b->reach, on_fire, on_reach);
	LOOP_CALLS(&b->mend, on_fire, on_mend);
	LOOP_CALLS(&b->settle, on_run, on_settle);
	if (b->options.service.watchdog_us > 0)
		loop_timer_set(l, &b->watchdog, b->options.service.watchdog_us / 3);
}

static void watch_sleep(struct broker *b)
{
	struct fault why = FAULT_NONE;
	b->resume.on_resume = on_resume;
	if (resume_watch_start(b->organs.loop, &b->resume, &why) != OK)
		log_fault("resume.unwatched", &why);
}

/* What is to be a process of its own (tokens_prepare: the one that runs commands) is started before there is
 * a key; last, when all libraries have what they start with, no more of them can be made. */
static enum err broker_build(struct broker *b, struct fault *why)
{
	struct organs *o = &b->organs;
	o->loop = loop_new(why);
	o->workers = o->loop ? workers_new(o->loop, WORKERS, why) : NULL;
	if (!o->workers)
		return why->err ? why->err : ERR_NO_MEMORY;
	vigil_begin(&b->vigil, o->loop);
	o->health = health_new();
	o->traces = traces_new();
	o->counts = counts_new();
	o->recent = recent_new((uint64_t)loop_wall_us(o->loop));
	o->holders = holders_new(); /* without it nothing is preferred */
	if (!o->health)
		return fault_set(why, ERR_NO_MEMORY, "out of memory at start");
	o->audit = audit_open(o->workers, o->loop, b->options.state_dir, AUDIT_LIMITS);
	note(b, "broker.start", SPAN_NONE, SPAN("version " LLM_BROKER_VERSION));
	b->admin = (struct admin_env){
		.organs = o,
		.config_path = b->options.config_path,
		.state_dir = b->options.state_dir,
		.started_us = loop_now_us(o->loop),
		.started_wall_us = loop_wall_us(o->loop),
		.reload = reload,
		.ended = on_admin_ended,
	};
	if (open_catalogue(b, why) != OK)
		return ERR_NO_MEMORY;
	load_config(b);
	o->own_uid = geteuid();
	/* the socket before the state: of two brokers for one socket, the second goes away here */
	if (!sessions_init(&b->sessions, &b->admin))
		return fault_set(why, ERR_NO_MEMORY, "out of memory at start");
	b->sessions.on_change = on_change;
	b->organs.on_left_end = on_change;
	b->organs.broker = b;
	b->sessions.context = b;
	watch_signals(b);
	enum err err = listen_all(b, why);
	if (err)
		return err;
	o->tokens = tokens_new(o, credentials_of(b));
	if (!o->tokens)
		return fault_set(why, ERR_NO_MEMORY, "out of memory at start");
	tokens_prepare(o->tokens, o->config);
	warm_begin(&b->warm);
	if (!open_state(b))
		return fault_set(why, ERR_NO_MEMORY, "out of memory at start");
	try_memory();
	if (!open_grants(b) || !open_app_tokens(b) || !open_vault(b) || !open_items(b))
		return fault_set(why, ERR_NO_MEMORY, "out of memory at start");
	listen_for_apps(b);
	warm_wait(&b->warm);
	o->transport = transport_new(o->loop, o->workers, why);
	if (!o->transport)
		return why->err ? why->err : ERR_NO_MEMORY;
	warm_done(&b->warm);
	watch_sleep(b);
	confine_all(b);
	return OK;
}

struct broker *broker_new(const struct broker_options *options, struct fault *why)
{
	struct broker *b = calloc(1, sizeof *b);
	if (!b) {
		fault_set(why, ERR_NO_MEMORY, "out of memory at start");
		return NULL;
	}
	b->options = *options;
	b->resume.fd = -1;
	b->organs.max_body_bytes = BODIES_BYTES;
	randombytes_buf(b->organs.cache_secret, sizeof b->organs.cache_secret);
	b->organs.ailment = b->config_ailment = b->state_ailment = b->disk_ailment = FAULT_NONE;
	struct fault own = FAULT_NONE;
	const enum err err = broker_build(b, &own);
	if (!err)
		return b;
	if (!own.err)
		fault_set(&own, err, "%s", err_info(err)->sentence);
	*why = own;
	broker_free(b);
	return NULL;
}

void broker_run(struct broker *b)
{
	log_info("broker.ready", "version=" LLM_BROKER_VERSION " socket=%s state=%s",
		b->admin.socket_path, b->options.state_dir);
	service_tell(&b->options.service, "READY=1\nSTATUS=%s",
		b->organs.ailment.err ? b->organs.ailment.message : "serving");
	loop_later(b->organs.loop, &b->settle);
	loop_run(b->organs.loop);
}

void broker_free(struct broker *b)
{
	struct organs *o;
	if (!b)
		return;
	o = &b->organs;
	b->is_closing = true;
	warm_done(&b->warm);
	sessions_done(&b->sessions); /* every call that is still open leaves its row */
	retention_free(b->retention);
	if (o->journal)
		journal_close(o->journal);
	/* who finds no socket may start a broker: by then the state is free for it */
	sockets_done(&b->sockets);
	admin_drop_fetches(&b->admin);
	tokens_free(o->tokens);
	o->tokens = NULL;
	transport_free(o->transport);
	o->transport = NULL;
	if (o->cache)
		cache_close(o->cache); /* what waits to be written is, by the workers' last jobs */
	if (o->workers)
		workers_free(o->workers); /* what they were at is told to administrative calls */
	admin_end(&b->admin);
	audit_close(o->audit); /* what is left of it is written here and now */
	resume_watch_stop(&b->resume);
	loop_timer_stop(&b->drain);
	loop_timer_stop(&b->idle);
	loop_timer_stop(&b->auto_lock);
	loop_timer_stop(&b->watchdog);
	loop_timer_stop(&b->quiet);
	loop_timer_stop(&b->key_over);
	loop_timer_stop(&b->reach);
	loop_timer_stop(&b->mend);
	loop_task_stop(&b->settle);
	loop_signal_stop(&b->term);
	loop_signal_stop(&b->interrupt);
	loop_signal_stop(&b->hangup);
	loop_signal_stop(&b->user);
	turns_free(o->turns);
	limiter_free(o->limiter);
	health_free(o->health);
	traces_free(o->traces);
	counts_free(o->counts);
	recent_free(o->recent);
	holders_free(o->holders);
	fit_free(o->fit);
	ledger_close(o->ledger);
	items_free(o->items);
	responses_free(o->responses);
	prompts_free(o->prompts);
	memo_forget_asked(o);
	cache_free(o->cache);
	semantic_free(o->semantic);
	consents_free(o->consents);
	grants_free(o->grants);
	app_tokens_free(o->app_tokens);
	vault_free(o->vault);
	config_unref(o->config);
	catalogue_unref(o->catalogue);
	spare_done(&o->spare_exchanges);
	spare_done(&o->spare_flights);
	spare_done(&o->spare_attempts);
	buf_done(&o->scratch);
	loop_free(o->loop);
	free(b);
}
