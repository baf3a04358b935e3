/* work.c - read, open, change, seal, prove, replace. */
#include "brokerd/vault/work.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>

#include "protocol/limits.h"

void opened_done(struct opened *o)
{
	guarded_drop(&o->data_key);
	guarded_drop(&o->body);
}

const char work_is_no_first[] =
	"there is a vault already, so that none was made with that passphrase, and nothing was "
	"added: leave the passphrase out, or set it by `llmb vault passphrase`";

/* ---- opening ---- */

static enum err no_memory(struct fault *why)
{
	return fault_set(why, ERR_NO_MEMORY, "no locked memory left to hold the vault in");
}

/* Puts the file's name before what is wrong with it, and the way out behind. */
static enum err unusable(const struct vault_files *f, struct fault *why)
{
	char said[sizeof why->message];
	memcpy(said, why->message, sizeof said);
	if (why->err == ERR_VERSION)
		return fault_set(why, ERR_VERSION,
			"the vault %s/vault %s. It is left as it is: use the newer version of "
			"llm-broker that wrote it",
			f->dir, said);
	fault_set(why, ERR_VAULT_DAMAGED, "the vault %s/vault %s", f->dir, said);
	vault_files_advise(f, why);
	return ERR_VAULT_DAMAGED;
}

/* Opens and checks the body under a data key that is the right one. */
static enum err open_body(const struct vault_files *f, const struct sealed *s,
	struct guarded *data_key, struct guarded **body, struct fault *why)
{
	if (guarded_new(format_body_size(s), body))
		return no_memory(why);
	const struct span key = guarded_read(data_key);
	const bool is_open = format_open(s, (const unsigned char *)key.p, guarded_write(*body));
	guarded_close(*body);
	guarded_close(data_key);
	enum err err = OK;
	if (!is_open) {
		fault_set(why, ERR_VAULT_DAMAGED, "is not what was sealed: bytes of it changed");
		err = unusable(f, why);
	} else if (body_check(guarded_read(*body), why)) {
		err = unusable(f, why);
	}
	if (is_open)
		guarded_close(*body);
	if (err)
		guarded_drop(body);
	return err;
}

/* Unwraps the data key with a slot's own key. ERR_WRONG_PASSPHRASE: it does not fit. */
static enum err unwrap(const struct vault_header *h, const struct slot *slot,
	const unsigned char *key, struct guarded **data_key, struct fault *why)
{
	if (guarded_new(FORMAT_KEY_BYTES, data_key))
		return no_memory(why);
	const bool fits = format_slot_open(h, slot, key, guarded_write(*data_key));
	guarded_close(*data_key);
	if (!fits)
		guarded_drop(data_key);
	return fits ? OK : ERR_WRONG_PASSPHRASE;
}

static enum err unwrap_by_passphrase(const struct vault_header *h, struct guarded *passphrase,
	struct guarded **data_key, struct fault *why)
{
	const struct slot *slot = format_slot(h, SLOT_PASSPHRASE);
	unsigned char key[FORMAT_KEY_BYTES];

	if (!slot)
		return fault_set(why, ERR_WRONG_PASSPHRASE,
			"the vault has no passphrase: its %s opens it",
			format_slot(h, SLOT_KEY_FILE)     ? "key file"
			: format_slot(h, SLOT_CREDENTIAL) ? "credential"
			: format_slot(h, SLOT_RECOVERY)   ? "recovery code"
							  : "agent");
	enum err err = format_key_of_passphrase(slot, guarded_read(passphrase), key, why);
	guarded_close(passphrase);
	if (!err)
		err = unwrap(h, slot, key, data_key, why);
	sodium_memzero(key, sizeof key);
	if (err == ERR_WRONG_PASSPHRASE)
		return fault_set(why, err, "the passphrase does not open the vault");
	return err;
}

/* By what a recovery code or an agent's key stands for. */
static enum err unwrap_by_code(const struct vault_header *h, const struct opener *by,
	struct guarded **data_key, struct fault *why)
{
	const struct slot *slot = format_slot(h, by->type);
	const char *name = by->type == SLOT_RECOVERY ? "recovery code" : "agent's key";
	unsigned char key[FORMAT_KEY_BYTES];

	if (!slot)
		return fault_set(why, ERR_WRONG_PASSPHRASE, "the vault has no %s", name);
	const struct span bytes = guarded_read(by->secret);
	format_key_of_bytes(slot, (const unsigned char *)bytes.p, key);
	guarded_close(by->secret);
	const enum err err = unwrap(h, slot, key, data_key, why);
	sodium_memzero(key, sizeof key);
	if (err == ERR_WRONG_PASSPHRASE)
		return fault_set(why, err, "the %s does not open the vault", name);
	return err;
}

/* What opens it unattended, from where it lies. */
static enum err read_unattended(
	const struct vault_files *f, enum slot_type type, unsigned char *bytes, struct fault *why)
{
	bool is_absent;
	const bool is_file = type == SLOT_KEY_FILE;
	const enum err err = is_file ? vault_files_read_key(f, bytes, &is_absent, why)
				     : vault_files_read_credential(f, bytes, &is_absent, why);
	if (err || !is_absent)
		return err;
	if (is_file)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"the vault's key file %s is not there: put it back, or say where it is "
			"([vault] key_file)",
			f->key_path);
	/* nothing is damaged: it is there where the broker is started as it is meant to be */
	return fault_set(why, ERR_LOCKED,
		"the broker was handed no credential " VAULT_CREDENTIAL
		": start it by the unit that has it (LoadCredentialEncrypted=)");
}

static enum err unwrap_by_place(const struct vault_files *f, const struct vault_header *h,
	const struct slot *slot, struct guarded **data_key, struct fault *why)
{
	const enum slot_type type = (enum slot_type)slot->type;
	unsigned char bytes[FORMAT_KEY_BYTES], key[FORMAT_KEY_BYTES];

	enum err err = read_unattended(f, type, bytes, why);
	if (err)
		return err;
	format_key_of_bytes(slot, bytes, key);
	err = unwrap(h, slot, key, data_key, why);
	sodium_memzero(bytes, sizeof bytes);
	sodium_memzero(key, sizeof key);
	if (err == ERR_WRONG_PASSPHRASE)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"the %s %s does not fit the vault: one of them is another's, or damaged",
			type == SLOT_KEY_FILE ? "key file" : "credential",
			type == SLOT_KEY_FILE ? f->key_path : f->credential_path);
	return err;
}

static bool has_unattended(const struct vault_header *h)
{
	return format_slot(h, SLOT_KEY_FILE) || format_slot(h, SLOT_CREDENTIAL);
}

/* By one of them; where none does, the first one's fault. */
static enum err unwrap_unattended(const struct vault_files *f, const struct vault_header *h,
	struct guarded **data_key, struct fault *why)
{
	const struct slot *key_file = format_slot(h, SLOT_KEY_FILE);
	const struct slot *credential = format_slot(h, SLOT_CREDENTIAL);
	struct fault second;

	assert(key_file || credential);
	if (!key_file)
		return unwrap_by_place(f, h, credential, data_key, why);
	const enum err err = unwrap_by_place(f, h, key_file, data_key, why);
	if (err && credential && unwrap_by_place(f, h, credential, data_key, &second) == OK)
		return OK;
	return err;
}

static bool opens_unattended(const struct vault_files *f, const struct vault_header *h)
{
	struct guarded *data_key = NULL;
	struct fault ignored;
	if (!has_unattended(h) || unwrap_unattended(f, h, &data_key, &ignored) != OK)
		return false;
	guarded_free(data_key);
	return true;
}

/* Does somebody who comes with something open it? */
static bool opens_attended(const struct vault_header *h)
{
	return format_slot(h, SLOT_PASSPHRASE) || format_slot(h, SLOT_RECOVERY) ||
	       format_slot(h, SLOT_AGENT);
}

static enum err unwrap_by(const struct vault_files *f, const struct vault_header *h,
	const struct opener *by, struct guarded **data_key, struct fault *why)
{
	if (!by->secret)
		return unwrap_unattended(f, h, data_key, why);
	if (by->type == SLOT_PASSPHRASE)
		return unwrap_by_passphrase(h, by->secret, data_key, why);
	return unwrap_by_code(h, by, data_key, why);
}

enum err work_load(
	const struct vault_files *f, const struct opener *by, struct loaded *out, struct fault *why)
{
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	struct sealed sealed;
	bool is_absent;

	*out = (struct loaded){.state = VAULT_DAMAGED};
	struct opened *const o = &out->opened;
	enum err err = vault_files_read(f, &file, &is_absent, why);
	if (err)
		return err;
	if (is_absent) {
		out->state = VAULT_ABSENT;
		return OK;
	}
	if (format_parse(buf_view(&file), &sealed, why))
		return unusable(f, why);
	o->header = sealed.header;
	out->is_unattended = opens_unattended(f, &o->header);
	if (!opens_attended(&o->header) && !has_unattended(&o->header)) {
		fault_set(why, ERR_VAULT_DAMAGED, "has no slot that this version can open");
		return unusable(f, why);
	}
	if (!by->secret && !has_unattended(&o->header)) {
		out->state = VAULT_LOCKED;
		return OK;
	}
	err = unwrap_by(f, &o->header, by, &o->data_key, why);
	const bool is_way_left = opens_attended(&o->header) || out->is_unattended;
	if (!err)
		err = open_body(f, &sealed, o->data_key, &o->body, why);
	else if (err != ERR_NO_MEMORY && err != ERR_LOCKED && !is_way_left)
		vault_files_advise(f, why);
	else
		out->state = VAULT_LOCKED;
	if (!err)
		out->state = VAULT_OPEN;
	else if (err == ERR_NO_MEMORY)
		out->state = VAULT_LOCKED;
	o->is_unattended = out->is_unattended;
	if (err)
		opened_done(o);
	return err;
}

/* ---- changing ---- */

/* The vault while it is being changed. */
struct change {
	const struct work *w;
	struct opened was, is; /* `was` is wiped at the end, `is` is handed out */
	bool is_new, has_made_key;
	struct sealed sealed; /* what is on the disk, unless is_new */
	struct slot slot;     /* of a passphrase: sealed once the vault is read */
	unsigned char slot_key[FORMAT_KEY_BYTES];
};

static void change_done(struct change *c)
{
	opened_done(&c->was);
	opened_done(&c->is);
	sodium_memzero(c->slot_key, sizeof c->slot_key);
}

/* The key file's bytes, of a new one where there is none. */
static enum err get_key_file(struct change *c, unsigned char *bytes, struct fault *why)
{
	const struct vault_files *f = c->w->files;
	bool is_absent;
	enum err err = vault_files_read_key(f, bytes, &is_absent, why);
	if (!err && is_absent) {
		err = vault_files_make_key(f, bytes, why);
		c->has_made_key = err == OK;
	}
	return err;
}

/* The bytes that are to open a new vault with nobody there: of the credential, where one was handed over and no key file
 * is named, so that nothing that opens it is on the disk; else of the key file. */
static enum err get_unattended(
	struct change *c, enum slot_type *type, unsigned char *bytes, struct fault *why)
{
	const struct vault_files *f = c->w->files;
	bool is_absent = true;
	*type = SLOT_CREDENTIAL;
	const enum err err =
		f->is_own_key ? vault_files_read_credential(f, bytes, &is_absent, why) : OK;
	if (err || !is_absent)
		return err;
	*type = SLOT_KEY_FILE;
	return get_key_file(c, bytes, why);
}

/* The first slot of a vault: a passphrase's is prepared already, else it is one that needs nobody. */
static enum err get_first_slot(struct change *c, struct fault *why)
{
	unsigned char bytes[FORMAT_KEY_BYTES];
	enum slot_type type;
	if (c->w->passphrase)
		return OK;
	const enum err err = get_unattended(c, &type, bytes, why);
	if (err)
		return err;
	c->slot = format_slot_new(type, c->w->cost);
	format_key_of_bytes(&c->slot, bytes, c->slot_key);
	sodium_memzero(bytes, sizeof bytes);
	return OK;
}

/* A vault where none was: an empty body, a new data key, one slot. */
static enum err make(struct change *c, struct fault *why)
{
	struct vault_header *h = &c->was.header;

	const enum err err = get_first_slot(c, why);
	if (err)
		return err;
	*h = (struct vault_header){.generation = 0};
	randombytes_buf(h->id, sizeof h->id);
	if (guarded_new(FORMAT_KEY_BYTES, &c->was.data_key) || guarded_new(2, &c->was.body))
		return no_memory(why);
	unsigned char *data_key = guarded_write(c->was.data_key);
	randombytes_buf(data_key, FORMAT_KEY_BYTES);
	format_slot_seal(h, &c->slot, c->slot_key, data_key);
	guarded_close(c->was.data_key);
	const bool has_room = format_slot_put(h, &c->slot);
	assert(has_room); /* the first one */

	struct writer out = {.p = guarded_write(c->was.body), .max = 2};
	body_empty(&out);
	guarded_close(c->was.body);
	c->is_new = true;
	return OK;
}

/* Takes what is on the disk as what is to be changed, if it is the vault that is open here. */
static enum err reopen(struct change *c, const struct sealed *s, struct fault *why)
{
	const struct work *w = c->w;
	const struct vault_header *h = &s->header;

	c->was.header = *h;
	if (memcmp(h->id, w->id, sizeof w->id) != 0)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s/vault is another vault than the one that is open. Nothing was written: "
			"run `llmb vault lock` and `llmb vault unlock` to use what is there now",
			w->files->dir);
	if (h->generation < w->generation)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s/vault is older than the one that is open (generation %" PRIu64
			", not %" PRIu64 "). Nothing was written: run `llmb vault lock` and `llmb "
			"vault unlock` to use "
			"what is there now",
			w->files->dir, h->generation, w->generation);
	const enum err err = guarded_copy(guarded_read(w->data_key), &c->was.data_key);
	guarded_close(w->data_key);
	if (err)
		return no_memory(why);
	return open_body(w->files, s, c->was.data_key, &c->was.body, why);
}

/* Finds out what is to be changed. `file` gets the bytes that are on the disk. */
static enum err begin(struct change *c, struct buf *file, struct fault *why)
{
	const struct work *w = c->w;
	struct sealed *sealed = &c->sealed;
	bool is_absent;

	enum err err = vault_files_read(w->files, file, &is_absent, why);
	if (err)
		return err;
	if (is_absent && w->data_key)
		return fault_set(why, ERR_VAULT_DAMAGED,
			"%s/vault is gone, though it is open here. Nothing was written: put it "
			"back",
			w->files->dir);
	if (is_absent && w->kind == WORK_ADD && w->may_create)
		return make(c, why);
	if (is_absent)
		return fault_set(why, ERR_NO_KEY,
			"there is no vault yet: `llmb key add PROVIDER` makes one");
	if (format_parse(buf_view(file), sealed, why))
		return unusable(w->files, why);
	if (w->data_key)
		return reopen(c, sealed, why);
	/* another broker made it meanwhile */
	if (w->passphrase)
		return fault_set(why, ERR_INVALID_ARGUMENT, "%s", work_is_no_first);
	c->was.header = sealed->header;
	if (!has_unattended(&sealed->header))
		return fault_set(why, ERR_LOCKED, "the vault is locked: run `llmb vault unlock`");
	err = unwrap_unattended(w->files, &sealed->header, &c->was.data_key, why);
	if (err)
		return err;
	return open_body(w->files, sealed, c->was.data_key, &c->was.body, why);
}

/* Is the new secret the one that the key has? */
static bool is_no_other(struct span body, const struct body_change *c)
{
	struct body_walk walk = body_each(body);
	struct body_key key;
	while (body_next(&walk, &key)) {
		if (span_eq(key.provider, c->provider) && span_eq(key.label, c->label) &&
			span_eq(key.origin, c->origin) && key.secret.n == c->secret.n &&
			sodium_memcmp(key.secret.p, c->secret.p, c->secret.n) == 0)
			return true;
	}
	return false;
}

/* Writes the new body from the old one. */
static enum err rewrite(struct change *c, struct fault *why)
{
	const struct work *w = c->w;
	struct body_change key = w->key;
	struct guarded *secret = w->kind == WORK_REMOVE ? NULL : w->input;
	struct guarded *wide = NULL;
	bool is_found;

	if (secret)
		key.secret = guarded_read(secret);
	const struct span old = guarded_read(c->was.body);
	const bool is_idle = w->kind == WORK_ROTATE && is_no_other(old, &key);
	enum err err = guarded_new(body_rewrite_bound(old, &key), &wide);
	if (!err) {
		struct writer out = {.p = guarded_write(wide), .max = guarded_size(wide)};
		body_rewrite(old, &key, &out, &is_found);
		assert(!out.is_full);
		err = guarded_copy(span_of((const char *)out.p, out.n), &c->is.body);
		guarded_close(wide);
	}
	guarded_free(wide);
	guarded_close(c->was.body);
	if (secret)
		guarded_close(secret);
	if (err)
		return no_memory(why);
	if (w->kind != WORK_ADD && !is_found)
		return fault_set(why, ERR_NO_KEY, "the vault has no key %.*s%s%.*s",
			SPAN_ARG(w->key.provider), w->key.label.n > 0 ? "/" : "",
			SPAN_ARG(w->key.label));
	if (is_idle) /* it would take the place of the one that it replaced */
		return fault_set(
			why, ERR_INVALID_ARGUMENT, "that is the key it has: nothing was changed");
	const enum err sound = body_check(guarded_read(c->is.body), why);
	guarded_close(c->is.body);
	if (sound != OK || guarded_size(c->is.body) > FORMAT_BODY_BYTES)
		err = fault_set(why, ERR_TOO_BIG,
			"the vault is full: it holds at most %d keys and %zu KiB in all. Nothing "
			"was "
			"written",
			BODY_KEYS_MAX, FORMAT_BODY_BYTES / 1024);
	return err;
}

/* The key that a new slot is to be wrapped under, into c->slot_key. */
static enum err get_slot_key(struct change *c, struct fault *why)
{
	const struct work *w = c->w;
	unsigned char bytes[FORMAT_KEY_BYTES];
	enum err err = OK;

	c->slot = format_slot_new(w->slot, w->cost);
	if (w->input) {
		memcpy(bytes, guarded_read(w->input).p, sizeof bytes);
		guarded_close(w->input);
	} else if (w->slot == SLOT_KEY_FILE) {
		err = get_key_file(c, bytes, why);
	} else {
		err = read_unattended(w->files, w->slot, bytes, why);
	}
	if (!err)
		format_key_of_bytes(&c->slot, bytes, c->slot_key);
	sodium_memzero(bytes, sizeof bytes);
	return err;
}

/* Wraps the data key in the new slot, which takes the place of one of its type. */
static enum err put_slot(struct change *c, struct fault *why)
{
	struct vault_header *h = &c->is.header;
	const struct span data_key = guarded_read(c->was.data_key);
	format_slot_seal(h, &c->slot, c->slot_key, (const unsigned char *)data_key.p);
	guarded_close(c->was.data_key);
	if (!format_slot_put(h, &c->slot))
		return fault_set(why, ERR_TOO_BIG, "the vault has no slot left");
	return OK;
}

static enum err remove_slot(struct change *c, struct fault *why)
{
	struct vault_header *h = &c->is.header;
	const size_t before = h->n_slots;
	format_slot_remove(h, c->w->slot);
	if (h->n_slots == before)
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"the vault has no slot \"%s\": `llmb vault slots` lists those there are",
			slot_type_name(c->w->slot));
	return OK;
}

static enum err reslot_passphrase(struct change *c, struct fault *why)
{
	const struct work *w = c->w;
	enum err err = OK;
	if (w->input)
		err = put_slot(c, why);
	else
		format_slot_remove(&c->is.header, SLOT_PASSPHRASE);
	if (!w->keep_key_file)
		format_slot_remove(&c->is.header, SLOT_KEY_FILE);
	return err;
}

/* Changes the slots as asked. */
static enum err reslot(struct change *c, struct fault *why)
{
	const struct vault_header *h = &c->is.header;
	enum err err = OK;

	if (c->w->kind == WORK_PASSPHRASE)
		err = reslot_passphrase(c, why);
	else if (c->w->kind == WORK_SLOT_REMOVE)
		err = remove_slot(c, why);
	else if ((err = get_slot_key(c, why)) == OK)
		err = put_slot(c, why);
	if (err)
		return err;
	/* what only seems to open it is not a way in */
	if (!opens_attended(h) && !opens_unattended(c->w->files, h))
		return fault_set(why, ERR_INVALID_ARGUMENT,
			"nothing would open the vault any more: it needs a passphrase or a key "
			"file. "
			"Nothing was changed");
	return OK;
}

static bool is_of_slots(const struct work *w)
{
	return w->kind >= WORK_PASSPHRASE;
}

/* Would what was read back open to what was meant? */
static bool is_good(void *context, struct span bytes)
{
	const struct change *c = context;
	struct sealed again;
	struct guarded *body = NULL;
	struct fault ignored;

	if (format_parse(bytes, &again, &ignored) ||
		format_body_size(&again) != guarded_size(c->is.body) ||
		guarded_new(format_body_size(&again), &body))
		return false;
	const struct span data_key = guarded_read(c->is.data_key);
	const struct span meant = guarded_read(c->is.body);
	unsigned char *got = guarded_write(body);
	const bool is_same = format_open(&again, (const unsigned char *)data_key.p, got) &&
			     sodium_memcmp(got, meant.p, meant.n) == 0;
	guarded_close(body);
	guarded_close(c->is.body);
	guarded_close(c->is.data_key);
	guarded_free(body);
	return is_same;
}

/* A backup is as the vault was, unless that had what is to be gone. */
static enum vault_backup backup_of(struct change *c)
{
	const struct work *w = c->w;
	if (w->kind != WORK_ADD && w->kind != WORK_ROTATE)
		return BACKUP_NEW;
	const int64_t end_s = body_next_end_s(guarded_read(c->was.body));
	guarded_close(c->was.body);
	return end_s != 0 && end_s <= w->key.now_s ? BACKUP_NEW : BACKUP_OLD;
}

static enum err write_out(struct change *c, struct span old, struct fault *why)
{
	OWNED(buf_done) struct buf sealed = BUF_INIT(LIMIT_VAULT_BYTES);
	const struct work *w = c->w;
	struct vault_header *h = &c->is.header;

	h->generation = c->was.header.generation + 1;
	c->is.data_key = TAKE(c->was.data_key);
	const struct span data_key = guarded_read(c->is.data_key);
	const unsigned char *key = (const unsigned char *)data_key.p;
	enum err err;
	if (is_of_slots(w) && format_may_keep_body(&c->sealed)) {
		err = format_reseal(h, key, &c->sealed, &sealed);
	} else {
		err = format_seal(h, key, guarded_read(c->is.body), &sealed);
		guarded_close(c->is.body);
	}
	guarded_close(c->is.data_key);
	if (err)
		return fault_set(why, err, "no memory to seal the vault in");
	return vault_files_replace(w->files, buf_view(&sealed), c->is_new ? SPAN_NONE : old,
		backup_of(c), is_good, c, why);
}

static enum err change_locked(struct change *c, struct fault *why)
{
	OWNED(buf_done) struct buf old = BUF_INIT(LIMIT_VAULT_BYTES);
	enum err err = begin(c, &old, why);
	if (err)
		return err;
	c->is.header = c->was.header;
	if (is_of_slots(c->w)) {
		c->is.body = TAKE(c->was.body);
		err = reslot(c, why);
	} else {
		err = rewrite(c, why);
	}
	if (!err)
		err = write_out(c, buf_view(&old), why);
	return err;
}

/* Has the key file that we made gone out of use? */
static bool drops_key_file(const struct work *w)
{
	return w->files->is_own_key &&
	       ((w->kind == WORK_PASSPHRASE && !w->keep_key_file) ||
		       (w->kind == WORK_SLOT_REMOVE && w->slot == SLOT_KEY_FILE));
}

/* Before the lock: it takes a second. */
static enum err hash_passphrase(struct change *c, struct guarded *passphrase, struct fault *why)
{
	c->slot = format_slot_new(SLOT_PASSPHRASE, c->w->cost);
	const enum err err =
		format_key_of_passphrase(&c->slot, guarded_read(passphrase), c->slot_key, why);
	guarded_close(passphrase);
	return err;
}

enum err work_change(const struct work *w, struct opened *out, struct fault *why)
{
	OWNED(change_done) struct change c = {.w = w};
	int lock;

	*out = (struct opened){.data_key = NULL};
	struct guarded *passphrase = w->kind == WORK_PASSPHRASE ? w->input : w->passphrase;
	enum err err = passphrase ? hash_passphrase(&c, passphrase, why) : OK;
	if (err)
		return err;
	err = vault_files_lock(w->files, &lock, why);
	if (err)
		return err;
	err = change_locked(&c, why);
	if (err && c.has_made_key)
		vault_files_remove_key(w->files);
	if (!err && drops_key_file(w))
		vault_files_remove_key(w->files);
	vault_files_unlock(lock);
	if (err)
		return err;
	*out = c.is;
	c.is = (struct opened){.data_key = NULL};
	out->is_unattended = opens_unattended(w->files, &out->header);
	return OK;
}
