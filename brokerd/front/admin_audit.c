/* admin_audit.c - what is recorded of administration, and what the records say. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "brokerd/audit/list.h"
#include "brokerd/audit/verify.h"
#include "brokerd/front/admin_call.h"
#include "protocol/base/num.h"

#define LIST_RECORDS 100 /* where the caller says nothing */

/* ---- what is recorded ---- */

/* These ask, and change nothing. Every other operation is recorded. */
static const char *const questions[] = {"status", "metrics", "models", "usage", "usage.estimates",
	"usage.export", "usage.follow", "usage.open", "budget.list", "key.list", "key.test",
	"vault.status", "vault.slots", "config.check", "audit.list", "audit.verify", "whoami",
	"policy.show", "policy.test", "route.explain", "request.explain", "app.list", "token.list",
	"consent.next"};

static bool is_change(const char *op)
{
	for (size_t i = 0; i < COUNT_OF(questions); i++) {
		if (strcmp(op, questions[i]) == 0)
			return false;
	}
	return true;
}

/* Does a key of the vault go by this label? */
static bool is_label(const struct admin_call *a)
{
	size_t n;
	const struct vault_key *keys = vault_list(a->organs->vault, &n);
	for (size_t i = 0; i < n; i++) {
		if (span_is(a->provider, keys[i].provider) && span_is(a->label, keys[i].label))
			return true;
	}
	return false;
}

/* PROVIDER/LABEL. Words that name nothing may be a key, typed in the wrong place: they are left out. */
static struct span subject_of(const struct admin_call *a, char *to, size_t size)
{
	if (span_is_set(a->about))
		return a->about;
	if (a->provider.n == 0 || !config_provider(a->config, a->provider))
		return SPAN_NONE;
	const bool has_label = a->label.n > 0 && (!a->why.err || is_label(a));
	(void)snprintf(to, size, "%.*s%s%.*s", SPAN_ARG(a->provider), has_label ? "/" : "",
		SPAN_ARG(has_label ? a->label : SPAN("")));
	return span_str(to);
}

void admin_record(const struct admin_call *a)
{
	char subject[160];
	if (!a->op || !is_change(a->op))
		return;
	const enum err err = a->why.err ? a->why.err : buf_error(&a->json);
	const struct audit_event e = {.what = a->op,
		.who = &a->peer,
		.verdict = !err                ? AUDIT_ALLOWED
			   : err == ERR_DENIED ? AUDIT_DENIED
					       : AUDIT_FAILED,
		.err = err,
		.subject = subject_of(a, subject, sizeof subject),
		.detail = a->has_created_vault && !err ? SPAN("made the vault") : SPAN_NONE};
	audit_record(a->organs->audit, &e);
}

/* ---- what the records say ---- */

struct audit_question {
	struct audit_list list;
	struct audit_verify verify;
	struct buf records;
};

static enum err question_begin(struct admin_call *a, struct fault *why)
{
	if (!a->organs->audit)
		return fault_set(why, ERR_IO, "there is no audit log: %s",
			a->organs->ailment.err ? a->organs->ailment.message
					       : "memory was out at start");
	a->audit = arena_array(&a->arena, 1, sizeof *a->audit);
	if (!a->audit)
		return ERR_NO_MEMORY;
	*a->audit = (struct audit_question){
		.list = {.state_dir = a->env->state_dir},
		.verify = { .state_dir = a->env->state_dir,        .limits = AUDIT_LIMITS}
        };
	return OK;
}

static void list_run(struct job *j)
{
	audit_list(&container_of(j, struct admin_call, job)->audit->list);
}

static void list_came(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct audit_question *q = a->audit;
	const struct fault *fault = audit_fault(a->organs->audit);
	struct json_out o = json_to(&a->json);
	if (q->list.cause) {
		fault_set(&a->why, ERR_IO, "the audit log cannot be read: %s",
			strerror(q->list.cause));
	} else {
		json_open(&o, '{');
		json_pair_raw(&o, "records", buf_view(&q->records));
		json_pair_bool(&o, "more", q->list.has_more);
		json_pair_i64(&o, "unreadable", (int64_t)q->list.unreadable);
		json_pair_i64(&o, "lost", (int64_t)audit_lost(a->organs->audit));
		if (fault->err)
			json_pair_str(&o, "message", span_str(fault->message));
		json_close(&o, '}');
	}
	buf_done(&q->records);
	admin_done(a);
}

enum err admin_audit_list(struct admin_call *a, struct json body, struct fault *why)
{
	int64_t s, limit = LIST_RECORDS;
	const enum err err = question_begin(a, why);
	if (err)
		return err;
	struct audit_question *q = a->audit;
	if (json_i64(json_member(body, "since_s"), &s))
		q->list.since_us = num_mul_sat(s, 1000000);
	if (json_i64(json_member(body, "limit"), &limit) &&
		(limit < 1 || limit > (int64_t)LIST_RECORDS_MAX))
		return fault_param(why, ERR_INVALID_ARGUMENT, "limit",
			"a limit is from 1 to %zu records", LIST_RECORDS_MAX);
	q->list.what = admin_text(a, body, "what");
	q->list.limit = (size_t)limit;
	q->list.to = &q->records;
	buf_init(&q->records, a->json.max);
	a->job = (struct job){.run = list_run, .on_done = list_came};
	audit_read(a->organs->audit, &a->job);
	return OK;
}

/* ---- whether they are what was written ---- */

/* How it ended, in one word for programs and a sentence for people. */
struct finding {
	const char *word;
	struct fault said;
};

static struct finding flaw_finding(const struct audit_verify *v)
{
	struct finding o = {.word = check_flaw_name(v->flaw)};
	switch (v->flaw) {
	case CHECK_WHOLE:
		break;
	case CHECK_CHANGED:
		fault_set(&o.said, ERR_IO, "%s:%zu is not the record that was written there",
			v->file, v->line);
		break;
	case CHECK_MISSING:
		if (v->line == 0)
			fault_set(&o.said, ERR_IO, "the file %s is missing", v->file);
		else
			fault_set(&o.said, ERR_IO,
				"records are missing before %s:%zu, from number %" PRIu64 " on",
				v->file, v->line, v->check.is_begun ? v->check.chain.seq + 1 : 1);
		break;
	case CHECK_REORDERED:
		fault_set(&o.said, ERR_IO, "%s:%zu is a record that belongs elsewhere", v->file,
			v->line);
		break;
	case CHECK_FORGED:
		fault_set(&o.said, ERR_IO,
			"the MAC of %s:%zu is wrong: it was not written by a broker that had the "
			"vault's key",
			v->file, v->line);
		break;
	case CHECK_TORN:
		fault_set(&o.said, ERR_IO, "%s:%zu has no end", v->file, v->line);
		break;
	case CHECK_UNREADABLE:
		fault_set(&o.said, ERR_IO, "%s cannot be read", v->file);
		break;
	}
	return o;
}

static struct finding finding_of(const struct audit_verify *v)
{
	const struct check *c = &v->check;
	struct finding o = {.word = "ok"};
	if (v->flaw)
		return flaw_finding(v);
	if (v->has_sought && c->sought_seq == 0) {
		o.word = "head";
		fault_set(&o.said, ERR_IO,
			"no record has that hash: the log was cut off and written anew, or the "
			"record "
			"is so old that its file was thrown away");
	} else if (c->unchecked > 0 && !c->has_foreign) {
		o.word = "locked";
		fault_set(&o.said, ERR_LOCKED,
			"the chain of %" PRIu64 " records is whole, but the MACs of %" PRIu64
			" cannot be checked while the vault is not open: run `llmb vault unlock`",
			c->records, c->unchecked);
	} else if (c->unchecked > 0) {
		o.word = "foreign";
		fault_set(&o.said, ERR_IO,
			"the chain of %" PRIu64 " records is whole, but %" PRIu64
			" have MACs under the key of another vault, which cannot be checked",
			c->records, c->unchecked);
	} else {
		fault_set(&o.said, OK, "all %" PRIu64 " records are what was written", c->records);
	}
	return o;
}

static void put_hash(struct json_out *o, const char *name, const unsigned char *hash)
{
	char hex[2 * CHAIN_HASH_BYTES + 1];
	sodium_bin2hex(hex, sizeof hex, hash, CHAIN_HASH_BYTES);
	json_pair_str(o, name, span_str(hex));
}

static void put_verified(struct json_out *o, const struct audit_verify *v)
{
	const struct check *c = &v->check;
	const struct finding f = finding_of(v);
	json_open(o, '{');
	json_pair_bool(o, "ok", f.said.err == OK);
	json_pair_str(o, "result", span_str(f.word));
	json_pair_str(o, "message", span_str(f.said.message));
	if (v->flaw) {
		json_pair_str(o, "file", span_str(v->file));
		json_pair_i64(o, "line", (int64_t)v->line);
	}
	json_pair_i64(o, "files", (int64_t)v->n_files);
	json_pair_i64(o, "records", (int64_t)c->records);
	json_pair_i64(o, "keyed", (int64_t)c->keyed);
	json_pair_i64(o, "unchecked", (int64_t)c->unchecked);
	json_pair_i64(o, "epochs", (int64_t)c->epochs);
	json_pair_i64(o, "broken_off", (int64_t)c->broken_off);
	if (c->records > 0) {
		json_pair_i64(o, "first", (int64_t)c->first_seq);
		json_pair_i64(o, "last", (int64_t)c->chain.seq);
		put_hash(o, "head", c->chain.head);
	}
	if (v->has_sought && c->sought_seq > 0)
		json_pair_i64(o, "found", (int64_t)c->sought_seq);
	json_close(o, '}');
}

static void verify_run(struct job *j)
{
	audit_verify(&container_of(j, struct admin_call, job)->audit->verify);
}

static void verify_came(struct job *j)
{
	struct admin_call *a = container_of(j, struct admin_call, job);
	struct json_out o = json_to(&a->json);
	put_verified(&o, &a->audit->verify);
	admin_done(a);
}

static enum err take_head(struct admin_call *a, struct json body, struct fault *why)
{
	struct audit_verify *v = &a->audit->verify;
	const struct span text = admin_text(a, body, "head");
	size_t n;
	if (!span_is_set(text))
		return OK;
	if (text.n != 2 * CHAIN_HASH_BYTES ||
		sodium_hex2bin(v->sought, sizeof v->sought, text.p, text.n, NULL, &n, NULL) != 0 ||
		n != sizeof v->sought)
		return fault_param(why, ERR_INVALID_ARGUMENT, "head",
			"a hash of the log has %zu digits of 0-9 and a-f", 2 * CHAIN_HASH_BYTES);
	v->has_sought = true;
	return OK;
}

/* The vault's key goes along, for as long as the files are read. */
static enum err take_root(struct admin_call *a)
{
	unsigned char root[AUDIT_ROOT_BYTES];
	if (!vault_subkey(a->organs->vault, VAULT_PURPOSE_AUDIT, root))
		return OK;
	const enum err err = audit_verify_key(&a->audit->verify, root);
	sodium_memzero(root, sizeof root);
	return err;
}

enum err admin_audit_verify(struct admin_call *a, struct json body, struct fault *why)
{
	enum err err = question_begin(a, why);
	if (!err)
		err = take_head(a, body, why);
	if (!err)
		err = take_root(a);
	if (err)
		return err;
	a->job = (struct job){.run = verify_run, .on_done = verify_came};
	audit_read(a->organs->audit, &a->job);
	return OK;
}
