/* vault.c - the loop's half: what is open, and a queue of operations of which one is with a worker.
 * The key that is open and the body are guarded blocks of their own; a key becomes a secret when it is
 * first asked for. When a key was last used is noted here and reaches the file with the next write. */
#include "brokerd/vault/vault.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "brokerd/log/log.h"
#include "brokerd/value/secret_open.h"
#include "brokerd/vault/code.h"
#include "brokerd/vault/key_text.h"
#include "brokerd/vault/vault_test.h"
#include "brokerd/vault/work.h"
#include "protocol/base/list.h"
#include "protocol/base/utf8.h"
#include "protocol/limits.h"

#define PASSPHRASE_BYTES ((size_t)1024)
/* deeper than the ciphers' and hashes' frames, which leave pieces of keys behind */
#define STACK_BYTES 16384

/* Beside each struct vault_key: what is nobody else's business. */
struct row {
	unsigned char id[BODY_ID_BYTES];
	struct secret *secret, *old; /* NULL until asked for */
};

enum op_kind {
	OP_UNLOCK,
	OP_CHANGE,
};

struct op {
	struct op *prev, *next;
	struct job job;
	struct vault *vault;
	struct vault_reply reply;
	enum op_kind kind;
	unsigned locks;        /* of the vault: when an unlock was asked for, when a change began */
	enum slot_type opener; /* OP_UNLOCK, with work.input */
	bool is_refused;       /* before it began: err and why say it, once its turn comes */
	char provider[BODY_NAME_BYTES + 1], label[BODY_NAME_BYTES + 1];
	char origin[BODY_ORIGIN_BYTES + 1];
	struct guarded *data_key; /* a copy that the job owns */
	struct body_use *uses;
	struct work work;
	struct loaded loaded; /* the result; of a change, its .opened */
	enum err err;
	struct fault why;
};

struct vault {
	struct workers *workers;
	struct vault_files files;
	struct vault_cost cost;
	enum vault_state state;
	struct fault
		why; /* VAULT_DAMAGED: how; VAULT_LOCKED: ERR_LOCKED, where it is another reason than most have */
	bool has_passphrase, is_unattended;
	struct vault_slots slots;
	unsigned locks;       /* how often it was locked */
	struct opened opened; /* VAULT_OPEN */
	struct vault_key *keys;
	struct row *rows;
	size_t n_keys;
	struct op *running, *waiting;
};

static void *xzero(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	if (!p)
		abort();
	return p;
}

/* ---- what is open ---- */

static void forget_keys(struct vault *v)
{
	for (size_t i = 0; i < v->n_keys; i++) {
		secret_unref(v->rows[i].secret);
		secret_unref(v->rows[i].old);
	}
	free(v->rows);
	free(v->keys);
	v->rows = NULL;
	v->keys = NULL;
	v->n_keys = 0;
}

static void text_of(char *to, size_t size, struct span s)
{
	assert(s.n < size); /* body_check made sure */
	memcpy(to, s.p, s.n);
	to[s.n] = '\0';
}

/* What may be known of a key. */
static void describe(
	const struct body_key *key, const unsigned char *data_key, struct vault_key *out)
{
	text_of(out->provider, sizeof out->provider, key->provider);
	text_of(out->label, sizeof out->label, key->label);
	text_of(out->origin, sizeof out->origin, key->origin);
	out->created_s = key->created_s;
	out->last_used_s = key->last_used_s;
	out->not_after_s = key->not_after_s;
	format_fingerprint(data_key, key->secret, out->fingerprint);
	if (!span_is_set(key->old_secret))
		return;
	format_fingerprint(data_key, key->old_secret, out->old_fingerprint);
	out->old_until_s = key->old_until_s;
}

static struct row *row_of_id(struct row *rows, size_t n, struct span id)
{
	for (size_t i = 0; i < n; i++) {
		if (span_eq(span_of((const char *)rows[i].id, BODY_ID_BYTES), id))
			return &rows[i];
	}
	return NULL;
}

static void note_slots(struct vault *v, const struct vault_header *h)
{
	static_assert(FORMAT_SLOTS_MAX == sizeof v->slots.types, "as many as a file can have");
	v->has_passphrase = format_slot(h, SLOT_PASSPHRASE) != NULL;
	v->slots.n = h->n_slots;
	for (size_t i = 0; i < h->n_slots; i++)
		v->slots.types[i] = h->slots[i].type;
}

/* Takes an opened vault over as what is open now. Keys that are the same stay the same secrets. */
static void adopt(struct vault *v, struct opened *o)
{
	struct body_walk w;
	struct body_key key;
	size_t n = 0;
	const struct span body = guarded_read(o->body);
	const struct span data_key = guarded_read(o->data_key);

	for (w = body_each(body); body_next(&w, &key);)
		n++;
	struct vault_key *keys = xzero(n, sizeof *keys);
	struct row *rows = xzero(n, sizeof *rows);
	w = body_each(body);
	for (size_t i = 0; i < n && body_next(&w, &key); i++) {
		struct row *same = row_of_id(v->rows, v->n_keys, key.id);
		describe(&key, (const unsigned char *)data_key.p, &keys[i]);
		memcpy(rows[i].id, key.id.p, sizeof rows[i].id);
		if (same) {
			const struct vault_key *old = &v->keys[same - v->rows];
			if (old->last_used_s > keys[i].last_used_s)
				keys[i].last_used_s = old->last_used_s;
			rows[i].secret = TAKE(same->secret);
			rows[i].old = TAKE(same->old);
		}
	}
	guarded_close(o->data_key);
	guarded_close(o->body);
	sodium_stackzero(STACK_BYTES);

	forget_keys(v);
	opened_done(&v->opened);
	v->opened = *o;
	*o = (struct opened){.data_key = NULL};
	v->keys = keys;
	v->rows = rows;
	v->n_keys = n;
	v->state = VAULT_OPEN;
	note_slots(v, &v->opened.header);
	v->is_unattended = v->opened.is_unattended;
	v->why = FAULT_NONE;
}

/* Takes over what was found of a vault that is not open; *why is set where `err` is. */
static void note_closed(
	struct vault *v, const struct loaded *l, enum err err, const struct fault *why)
{
	v->state = l->state;
	note_slots(v, &l->opened.header);
	v->is_unattended = l->is_unattended;
	v->why = l->state == VAULT_DAMAGED || err == ERR_LOCKED ? *why : FAULT_NONE;
}

struct vault *vault_new_with(struct workers *w, const struct vault_paths *paths,
	const struct vault_options *o, struct fault *why)
{
	struct vault *v = calloc(1, sizeof *v);
	struct loaded loaded;

	if (!v || sodium_init() < 0) {
		fault_set(why, ERR_NO_MEMORY, "no memory for the vault");
		free(v);
		return NULL;
	}
	v->workers = w;
	v->cost = o->cost;
	vault_files_init(&v->files, paths->state_dir, paths->key_file, paths->credentials);
	v->files.on_step = o->on_step;
	const enum err err = work_load(&v->files, &(struct opener){.secret = NULL}, &loaded, why);
	sodium_stackzero(STACK_BYTES);
	if (!err && loaded.state == VAULT_OPEN)
		adopt(v, &loaded.opened);
	else
		note_closed(v, &loaded, err, why);
	if (err) {
		char said[512];
		log_warn("vault.unusable", "state=%s error=%s", vault_state_name(v->state),
			log_quote(said, sizeof said, span_str(why->message)));
	}
	return v;
}

struct vault *vault_new(struct workers *w, const struct vault_paths *paths, struct fault *why)
{
	return vault_new_with(w, paths, &(struct vault_options){.cost = VAULT_COST}, why);
}

static void op_free(struct op *op)
{
	guarded_free(op->data_key);
	guarded_free(op->work.input);
	guarded_free(op->work.passphrase);
	opened_done(&op->loaded.opened);
	free(op->uses);
	free(op);
}

void vault_free(struct vault *v)
{
	struct op *op, *next;

	if (!v)
		return;
	assert(!v->running);
	LIST_EACH_SAFE(v->waiting, op, next)
		op_free(op);
	forget_keys(v);
	opened_done(&v->opened);
	vault_files_done(&v->files);
	free(v);
}

enum vault_state vault_state(const struct vault *v)
{
	return v->state;
}

const char *vault_state_name(enum vault_state s)
{
	static const char *const names[] = {
		[VAULT_ABSENT] = "absent",
		[VAULT_LOCKED] = "locked",
		[VAULT_OPEN] = "open",
		[VAULT_DAMAGED] = "damaged",
	};
	return names[s];
}

bool vault_is_unattended(const struct vault *v)
{
	return v->is_unattended;
}

bool vault_has_passphrase(const struct vault *v)
{
	return v->has_passphrase;
}

const struct vault_slots *vault_slots(const struct vault *v)
{
	return &v->slots;
}

bool vault_is_busy(const struct vault *v)
{
	return v->running != NULL;
}

void vault_lock(struct vault *v)
{
	v->locks++;
	if (v->state != VAULT_OPEN)
		return;
	forget_keys(v);
	opened_done(&v->opened);
	v->state = VAULT_LOCKED;
	log_info("vault.lock", "unattended=%s", v->is_unattended ? "yes" : "no");
}

/* ---- the queue ---- */

static void start_next(struct vault *v);

/* On a worker. */
static void op_run(struct job *job)
{
	struct op *op = container_of(job, struct op, job);
	if (op->is_refused)
		return;
	const struct opener by = {.type = op->opener, .secret = op->work.input};
	if (op->kind == OP_UNLOCK)
		op->err = work_load(&op->vault->files, &by, &op->loaded, &op->why);
	else
		op->err = work_change(&op->work, &op->loaded.opened, &op->why);
	sodium_stackzero(STACK_BYTES);
}

static void end_unlock(struct op *op)
{
	struct vault *v = op->vault;
	const bool is_open = op->loaded.state == VAULT_OPEN && !op->err;

	if (is_open && op->locks != v->locks) {
		op->err = fault_set(&op->why, ERR_LOCKED,
			"the vault was locked again while it was being opened");
		return;
	}
	if (is_open) {
		adopt(v, &op->loaded.opened);
		log_info("vault.open", "keys=%zu unattended=%s", v->n_keys,
			v->is_unattended ? "yes" : "no");
		return;
	}
	/* what is open stays open, whatever the file has become */
	if (v->state != VAULT_OPEN)
		note_closed(v, &op->loaded, op->err, &op->why);
	if (!op->err && op->loaded.state == VAULT_ABSENT)
		op->err = fault_set(&op->why, ERR_NO_KEY,
			"there is no vault yet: `llmb key add PROVIDER` makes one");
	else if (!op->err)
		op->err = fault_set(&op->why, ERR_WRONG_PASSPHRASE, "the vault has no key file: %s",
			v->has_passphrase
				? "it is opened by its passphrase"
				: "its recovery code opens it: run `llmb vault unlock --recovery`");
}

static void end_change(struct op *op)
{
	struct vault *v = op->vault;
	if (op->err)
		return;
	if (op->locks == v->locks) {
		adopt(v, &op->loaded.opened);
		return;
	}
	/* it was locked meanwhile: the change is in the file, and the key is forgotten */
	v->state = VAULT_LOCKED;
	v->why = FAULT_NONE;
	note_slots(v, &op->loaded.opened.header);
	v->is_unattended = op->loaded.opened.is_unattended;
}

/* Back on the loop. */
static void op_done(struct job *job)
{
	struct op *op = container_of(job, struct op, job);
	struct vault *v = op->vault;

	if (op->kind == OP_CHANGE && !op->is_refused)
		end_change(op);
	else if (!op->is_refused)
		end_unlock(op);
	if (op->err) {
		char said[512];
		log_warn("vault.failed", "error=%s",
			log_quote(said, sizeof said, span_str(op->why.message)));
	}
	const struct vault_reply reply = op->reply;
	const enum err err = op->err;
	const struct fault why = err ? op->why : FAULT_NONE;
	op_free(op);
	v->running = NULL;
	reply.on_done(reply.context, err, &why);
	start_next(v);
}

static enum err say_locked(const struct vault *v, struct fault *why)
{
	if (v->why.err == ERR_LOCKED)
		return fault_set(why, ERR_LOCKED, "%s", v->why.message);
	return fault_set(why, ERR_LOCKED, "the vault is locked: run `llmb vault unlock`");
}

/* What a change needs to know of the vault as it is when its turn comes. */
static enum err prepare_change(struct vault *v, struct op *op)
{
	struct work *w = &op->work;
	switch (v->state) {
	case VAULT_LOCKED:
		return say_locked(v, &op->why);
	case VAULT_DAMAGED:
		op->why = v->why;
		return op->why.err;
	case VAULT_ABSENT:
		return OK; /* the worker looks whether that is still so */
	case VAULT_OPEN:
		break;
	}
	if (w->passphrase && w->kind == WORK_ADD)
		return fault_set(&op->why, ERR_INVALID_ARGUMENT, "%s", work_is_no_first);
	const enum err err = guarded_copy(guarded_read(v->opened.data_key), &op->data_key);
	guarded_close(v->opened.data_key);
	if (err)
		return fault_set(&op->why, err, "no locked memory left");
	w->data_key = op->data_key;
	w->generation = v->opened.header.generation;
	memcpy(w->id, v->opened.header.id, sizeof w->id);
	op->uses = xzero(v->n_keys, sizeof *op->uses);
	for (size_t i = 0; i < v->n_keys; i++) {
		memcpy(op->uses[i].id, v->rows[i].id, sizeof op->uses[i].id);
		op->uses[i].at_s = v->keys[i].last_used_s;
	}
	w->key.now_s = (int64_t)time(NULL);
	w->key.uses = op->uses;
	w->key.n_uses = v->n_keys;
	return OK;
}

static void start_next(struct vault *v)
{
	struct op *op = v->waiting;
	if (v->running || !op)
		return;
	LIST_REMOVE(v->waiting, op);
	v->running = op;
	if (op->kind == OP_CHANGE) {
		op->locks = v->locks;
		if (!op->err)
			op->err = prepare_change(v, op);
	}
	op->is_refused = op->err != OK;
	workers_submit(v->workers, &op->job, 0);
}

static struct op *op_new(struct vault *v, enum op_kind kind, struct vault_reply reply)
{
	struct op *op = xzero(1, sizeof *op);
	op->vault = v;
	op->kind = kind;
	op->reply = reply;
	op->locks = v->locks;
	op->job = (struct job){.run = op_run, .on_done = op_done};
	op->work = (struct work){.files = &v->files, .cost = v->cost};
	return op;
}

static void ask(struct op *op)
{
	struct vault *v = op->vault;
	LIST_PUSH(v->waiting, op);
	start_next(v);
}

/* ---- what may be asked ---- */

static enum err copy_input(struct op *op, struct span bytes)
{
	if (guarded_copy(bytes, &op->work.input))
		return fault_set(&op->why, ERR_NO_MEMORY, "no locked memory left");
	return OK;
}

static enum err copy_passphrase(struct op *op, struct span passphrase, struct guarded **to)
{
	if (passphrase.n == 0)
		return fault_set(&op->why, ERR_INVALID_ARGUMENT, "the passphrase is empty");
	if (passphrase.n > PASSPHRASE_BYTES)
		return fault_set(&op->why, ERR_INVALID_ARGUMENT,
			"the passphrase is longer than %zu bytes", PASSPHRASE_BYTES);
	if (guarded_copy(passphrase, to))
		return fault_set(&op->why, ERR_NO_MEMORY, "no locked memory left");
	return OK;
}

/* What the code stands for becomes the input. */
static enum err copy_code(struct op *op, enum slot_type type, struct span code)
{
	unsigned char key[CODE_KEY_BYTES];
	enum err err = code_read(type, code, key, &op->why);
	if (!err)
		err = copy_input(op, span_of((const char *)key, sizeof key));
	sodium_memzero(key, sizeof key);
	return err;
}

/* One line of text: what may be shown and compared. */
static enum err copy_name(
	const char *what, struct span s, size_t least, char *to, size_t size, struct fault *why)
{
	if (s.n < least)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the %s is empty", what);
	if (s.n >= size)
		return fault_set(why, ERR_INVALID_ARGUMENT, "the %s is longer than %zu bytes", what,
			size - 1);
	for (size_t i = 0; i < s.n; i++) {
		const unsigned char c = (unsigned char)s.p[i];
		if (c < 0x20 || c == 0x7f)
			return fault_set(why, ERR_INVALID_ARGUMENT,
				"the %s has a control character at byte %zu", what, i);
	}
	if (!utf8_is_valid(s))
		return fault_set(why, ERR_INVALID_ARGUMENT, "the %s is not UTF-8", what);
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	to[s.n] = '\0';
	return OK;
}

static enum err copy_names(struct op *op, struct span provider, struct span label)
{
	const enum err err = copy_name(
		"provider's name", provider, 1, op->provider, sizeof op->provider, &op->why);
	if (err)
		return err;
	return copy_name("label", label, 0, op->label, sizeof op->label, &op->why);
}

static enum err check_origin(struct span origin, struct fault *why)
{
	const bool has_scheme =
		span_starts(origin, SPAN("https://")) || span_starts(origin, SPAN("http://"));
	if (!has_scheme || span_index(origin, ' ') < origin.n)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the key needs the origin that it may be sent to, as https://HOST:PORT");
	return OK;
}

void vault_unlock(struct vault *v, struct span passphrase, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_UNLOCK, reply);
	op->opener = SLOT_PASSPHRASE;
	if (span_is_set(passphrase))
		op->err = copy_passphrase(op, passphrase, &op->work.input);
	ask(op);
}

void vault_unlock_by(
	struct vault *v, enum slot_type type, struct span code, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_UNLOCK, reply);
	op->opener = type;
	op->err = copy_code(op, type, code);
	ask(op);
}

/* A change that brings a key. */
static struct op *op_with_key(struct vault *v, struct span provider, struct span label,
	struct span origin, struct span secret, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_CHANGE, reply);
	struct work *w = &op->work;

	op->err = key_text_check(secret, &op->why);
	if (!op->err)
		op->err = copy_names(op, provider, label);
	if (!op->err)
		op->err = check_origin(origin, &op->why);
	if (!op->err)
		op->err = copy_name("origin", origin, 1, op->origin, sizeof op->origin, &op->why);
	if (!op->err)
		op->err = copy_input(op, secret);
	w->key = (struct body_change){
		.provider = span_str(op->provider),
		.label = span_str(op->label),
		.origin = span_str(op->origin),
		.now_s = (int64_t)time(NULL),
	};
	randombytes_buf(w->key.id, sizeof w->key.id);
	return op;
}

void vault_add(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, bool may_create, struct vault_reply reply)
{
	struct op *op = op_with_key(v, provider, label, origin, secret, reply);
	op->work.kind = WORK_ADD;
	op->work.may_create = may_create;
	ask(op);
}

void vault_add_first(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, struct span passphrase, struct vault_reply reply)
{
	struct op *op = op_with_key(v, provider, label, origin, secret, reply);
	if (!op->err)
		op->err = copy_passphrase(op, passphrase, &op->work.passphrase);
	op->work.kind = WORK_ADD;
	op->work.may_create = true;
	ask(op);
}

void vault_rotate(struct vault *v, struct span provider, struct span label, struct span origin,
	struct span secret, int64_t overlap_s, struct vault_reply reply)
{
	struct op *op = op_with_key(v, provider, label, origin, secret, reply);
	op->work.kind = WORK_ROTATE;
	op->work.key.old_until_s = overlap_s > 0 ? op->work.key.now_s + overlap_s : 0;
	ask(op);
}

void vault_remove(
	struct vault *v, struct span provider, struct span label, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_CHANGE, reply);
	op->err = copy_names(op, provider, label);
	op->work.kind = WORK_REMOVE;
	op->work.key = (struct body_change){
		.provider = span_str(op->provider),
		.label = span_str(op->label),
		.is_removal = true,
	};
	ask(op);
}

void vault_set_passphrase(
	struct vault *v, struct span passphrase, bool keep_key_file, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_CHANGE, reply);
	if (span_is_set(passphrase))
		op->err = copy_passphrase(op, passphrase, &op->work.input);
	op->work.kind = WORK_PASSPHRASE;
	op->work.keep_key_file = keep_key_file;
	ask(op);
}

void vault_slot_add(
	struct vault *v, enum slot_type type, struct span code, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_CHANGE, reply);
	assert(type != SLOT_PASSPHRASE); /* vault_set_passphrase adds that */
	if (!slot_is_unattended(type))
		op->err = copy_code(op, type, code);
	op->work.kind = WORK_SLOT_ADD;
	op->work.slot = type;
	ask(op);
}

void vault_slot_remove(struct vault *v, enum slot_type type, struct vault_reply reply)
{
	struct op *op = op_new(v, OP_CHANGE, reply);
	op->work.kind = WORK_SLOT_REMOVE;
	op->work.slot = type;
	ask(op);
}

/* ---- what may be known ---- */

static bool is_good(const struct vault_key *k, int64_t now_s)
{
	return k->not_after_s == 0 || now_s <= k->not_after_s;
}

/* The key's place, or n_keys; where no label is named, one that is good if there is one. */
static size_t find(const struct vault *v, struct span provider, struct span label, int64_t now_s)
{
	size_t best = v->n_keys;
	for (size_t i = 0; i < v->n_keys; i++) {
		const struct vault_key *k = &v->keys[i];
		if (!span_is(provider, k->provider))
			continue;
		if (span_is_set(label)) {
			if (span_is(label, k->label))
				return i;
			continue;
		}
		if (k->label[0] == '\0' && is_good(k, now_s))
			return i;
		if (strcmp(k->label, VAULT_LABEL_ADMIN) == 0)
			continue;
		if (best == v->n_keys || (!is_good(&v->keys[best], now_s) && is_good(k, now_s)))
			best = i;
	}
	return best;
}

static struct span secret_of(const struct body_key *key)
{
	return key->secret;
}

static struct span old_of(const struct body_key *key)
{
	return key->old_secret;
}

/* Makes one of the secrets of the key at `place`. */
static enum err make_secret(struct vault *v, size_t place,
	struct span (*which)(const struct body_key *key), struct secret **out)
{
	const struct span body = guarded_read(v->opened.body);
	struct body_walk w = body_each(body);
	struct body_key key;
	enum err err = ERR_INTERNAL;
	for (size_t i = 0; body_next(&w, &key); i++) {
		if (i == place) {
			err = secret_new(which(&key), key.origin, out);
			break;
		}
	}
	guarded_close(v->opened.body);
	return err;
}

enum err vault_get(struct vault *v, struct span provider, struct span label, struct secret **out,
	struct fault *why)
{
	const int64_t now_s = (int64_t)time(NULL);

	*out = NULL;
	switch (v->state) {
	case VAULT_LOCKED:
		return say_locked(v, why);
	case VAULT_DAMAGED:
		return fault_set(why, ERR_VAULT_DAMAGED, "%s", v->why.message);
	case VAULT_ABSENT:
	case VAULT_OPEN:
		break;
	}
	const size_t i = find(v, provider, label, now_s);
	if (i == v->n_keys)
		return fault_set(why, ERR_NO_KEY,
			"the vault has no key for %.*s%s%.*s: run `llmb key add %.*s%s%.*s`",
			SPAN_ARG(provider), label.n > 0 ? "/" : "", SPAN_ARG(label),
			SPAN_ARG(provider), label.n > 0 ? "/" : "", SPAN_ARG(label));
	struct row *row = &v->rows[i];
	if (!is_good(&v->keys[i], now_s))
		return fault_set(why, ERR_NO_KEY,
			"the key for %.*s has expired: run `llmb key add %.*s` with a new one",
			SPAN_ARG(provider), SPAN_ARG(provider));
	if (!row->secret) {
		const enum err err = make_secret(v, i, secret_of, &row->secret);
		if (err)
			return fault_set(why, err, "no locked memory left to open the key in");
	}
	v->keys[i].last_used_s = now_s;
	*out = secret_ref(row->secret);
	return OK;
}

/* The place of a key that has replaced one which is good, or n_keys. */
static size_t find_old(const struct vault *v, struct span provider, struct span label)
{
	const int64_t now_s = (int64_t)time(NULL);
	const size_t i = find(v, provider, label, now_s);
	return i < v->n_keys && v->keys[i].old_until_s > now_s ? i : v->n_keys;
}

bool vault_has_old(const struct vault *v, struct span provider, struct span label)
{
	return find_old(v, provider, label) < v->n_keys;
}

struct secret *vault_get_old(struct vault *v, struct span provider, struct span label)
{
	const size_t i = find_old(v, provider, label);
	if (i == v->n_keys)
		return NULL;
	if (!v->rows[i].old && make_secret(v, i, old_of, &v->rows[i].old) != OK)
		return NULL;
	return secret_ref(v->rows[i].old);
}

/* Takes what is over out of the body in memory. */
static void drop_over(struct vault *v, int64_t now_s)
{
	const struct body_change none = {.now_s = now_s};
	struct guarded *wide = NULL, *body = NULL;
	bool is_found;
	const struct span old = guarded_read(v->opened.body);
	if (guarded_new(body_rewrite_bound(old, &none), &wide) == OK) {
		struct writer out = {.p = guarded_write(wide), .max = guarded_size(wide)};
		body_rewrite(old, &none, &out, &is_found);
		if (guarded_copy(span_of((const char *)out.p, out.n), &body) != OK)
			body = NULL;
		guarded_close(wide);
	}
	guarded_close(v->opened.body);
	guarded_free(wide);
	if (!body)
		return; /* without memory it stays a while longer, unused */
	guarded_free(v->opened.body);
	v->opened.body = body;
}

int64_t vault_expire(struct vault *v, int64_t now_s)
{
	int64_t next_s = 0;
	bool is_one_over = false;
	if (v->state != VAULT_OPEN)
		return 0;
	for (size_t i = 0; i < v->n_keys; i++) {
		struct vault_key *k = &v->keys[i];
		if (k->old_until_s > now_s && (next_s == 0 || k->old_until_s < next_s))
			next_s = k->old_until_s;
		if (k->old_until_s == 0 || k->old_until_s > now_s)
			continue;
		is_one_over = true;
		secret_unref(v->rows[i].old);
		v->rows[i].old = NULL;
		k->old_until_s = 0;
		memset(k->old_fingerprint, 0, sizeof k->old_fingerprint);
		log_info("vault.key_over", "provider=%s fingerprint=%s", k->provider,
			k->fingerprint);
	}
	if (is_one_over)
		drop_over(v, now_s);
	return next_s;
}

bool vault_subkey(struct vault *v, enum vault_purpose purpose, unsigned char *to)
{
	if (v->state != VAULT_OPEN)
		return false;
	const struct span data_key = guarded_read(v->opened.data_key);
	format_subkey((const unsigned char *)data_key.p, (uint64_t)purpose, to);
	guarded_close(v->opened.data_key);
	return true;
}

bool vault_has(const struct vault *v, struct span provider)
{
	const int64_t now_s = (int64_t)time(NULL);
	const size_t i = find(v, provider, SPAN_NONE, now_s);
	return i < v->n_keys && is_good(&v->keys[i], now_s);
}

bool vault_label_at(const struct vault *v, struct span provider, size_t i, struct span *label)
{
	const int64_t now_s = (int64_t)time(NULL);
	for (int has_label = 0; has_label < 2; has_label++) {
		for (size_t k = 0; k < v->n_keys; k++) {
			const struct vault_key *key = &v->keys[k];
			if (!span_is(provider, key->provider) ||
				(key->label[0] != '\0') != has_label ||
				strcmp(key->label, VAULT_LABEL_ADMIN) == 0 || !is_good(key, now_s))
				continue;
			if (i-- == 0) {
				*label = span_str(key->label);
				return true;
			}
		}
	}
	return false;
}

const struct vault_key *vault_list(const struct vault *v, size_t *n)
{
	*n = v->n_keys;
	return v->keys;
}
