/* test_vault.c - are keys kept, locked up and brought back, and is nothing ever lost? */
#include "brokerd/vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "brokerd/log/log.h"
#include "brokerd/value/secret_open.h"
#include "brokerd/vault/code.h"
#include "brokerd/vault/vault_test.h"
#include "brokerd/vault/work.h"
#include "protocol/limits.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"

#define ORIGIN "https://api.example:443"

static int (*on_step)(const char *step); /* of the next vault that is opened */
static const char *credentials;          /* the same */
static const struct vault_cost cheap = {.ops = 1, .mem_bytes = UINT64_C(8) << 20};

/* ---- a state folder and a vault in it ---- */

static char dir[128];

struct bench {
	struct loop *loop;
	struct workers *workers;
	struct vault *vault;
	struct fault why; /* of vault_new, then of the last answer */
	int answers;
	enum err err;
};

static const char *path(const char *name)
{
	static char paths[4][192];
	static unsigned next;
	char *p = paths[next++ % 4];
	snprintf(p, sizeof paths[0], "%s/%s", dir, name);
	return p;
}

static void remove_dir(void)
{
	char command[192];
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	if (*dir && system(command) != 0)
		bail("cannot remove %s", dir);
}

/* A new, empty state folder. */
static void fresh_dir(void)
{
	remove_dir();
	snprintf(dir, sizeof dir, "%s/test_vault.XXXXXX", P_tmpdir);
	if (!mkdtemp(dir))
		bail("cannot make %s: %s", dir, strerror(errno));
}

static void open_bench(struct bench *b, const char *key_file)
{
	const struct vault_paths paths = {
		.state_dir = dir, .key_file = key_file, .credentials = credentials};
	const struct vault_options options = {.cost = cheap, .on_step = on_step};
	*b = (struct bench){.why = FAULT_NONE};
	b->loop = loop_new(&b->why);
	b->workers = workers_new(b->loop, 1, &b->why);
	b->vault = vault_new_with(b->workers, &paths, &options, &b->why);
	if (!b->vault)
		bail("no vault: %s", b->why.message);
}

static void close_bench(struct bench *b)
{
	workers_free(b->workers);
	vault_free(b->vault);
	loop_free(b->loop);
}

static void on_answer(void *context, enum err err, const struct fault *why)
{
	struct bench *b = context;
	b->answers++;
	b->err = err;
	b->why = *why;
}

static struct vault_reply answer(struct bench *b)
{
	return (struct vault_reply){.on_done = on_answer, .context = b};
}

static enum err settle(struct bench *b)
{
	const int before = b->answers;
	loop_virtual_settle(b->loop);
	if (b->answers != before + 1)
		bail("%d answers to one question", b->answers - before);
	return b->err;
}

static enum err add(struct bench *b, const char *provider, const char *label, const char *secret)
{
	vault_add(b->vault, span_str(provider), span_str(label), SPAN(ORIGIN), span_str(secret),
		true, answer(b));
	return settle(b);
}

static enum err take_out(struct bench *b, const char *provider, const char *label)
{
	vault_remove(b->vault, span_str(provider), span_str(label), answer(b));
	return settle(b);
}

static enum err unlock(struct bench *b, const char *passphrase)
{
	vault_unlock(b->vault, span_str(passphrase), answer(b));
	return settle(b);
}

static enum err set_passphrase(struct bench *b, const char *passphrase, bool keep_key_file)
{
	vault_set_passphrase(b->vault, span_str(passphrase), keep_key_file, answer(b));
	return settle(b);
}

/* "provider/label=secret" of every key, read through vault_get; or the state's name. */
static const char *held(struct bench *b)
{
	static char text[2048];
	static struct fault why;
	size_t n, used = 0;
	if (vault_state(b->vault) != VAULT_OPEN)
		return vault_state_name(vault_state(b->vault));
	const struct vault_key *keys = vault_list(b->vault, &n);
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		struct secret *s;
		if (vault_get(b->vault, span_str(keys[i].provider), span_str(keys[i].label), &s,
			    &why))
			return why.message;
		const struct span bytes = secret_open(s);
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s/%s=%.*s",
			used ? " " : "", keys[i].provider, keys[i].label, SPAN_ARG(bytes));
		secret_close(s);
		secret_unref(s);
	}
	return text;
}

/* What a vault opened anew holds. */
static const char *kept(const char *passphrase)
{
	static char text[2048];
	struct bench b;
	open_bench(&b, NULL);
	if (passphrase && vault_state(b.vault) == VAULT_LOCKED && unlock(&b, passphrase) != OK)
		snprintf(text, sizeof text, "%s", b.why.message);
	else
		snprintf(text, sizeof text, "%s", held(&b));
	close_bench(&b);
	return text;
}

struct bytes {
	char p[8192];
	size_t n;
};

static struct bytes read_file(const char *name)
{
	struct bytes b = {.n = 0};
	FILE *f = fopen(path(name), "re");
	if (f) {
		b.n = fread(b.p, 1, sizeof b.p, f);
		fclose(f);
	}
	return b;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	FILE *f = fopen(path(name), "we");
	if (!f || fwrite(bytes, 1, n, f) != n || fchmod(fileno(f), 0600) != 0 || fclose(f) != 0)
		bail("cannot write %s: %s", path(name), strerror(errno));
}

static bool is_same_file(const char *name, const struct bytes *as)
{
	const struct bytes now = read_file(name);
	return now.n == as->n && memcmp(now.p, as->p, now.n) == 0;
}

static bool is_there(const char *name)
{
	struct stat st;
	return lstat(path(name), &st) == 0;
}

/* ---- a vault's life ---- */

static void test_life(void)
{
	struct bench b;
	struct secret *s;
	struct stat st;
	size_t n;

	fresh_dir();
	open_bench(&b, NULL);
	is_str(vault_state_name(vault_state(b.vault)), "absent", "at first there is no vault");
	ok(!is_there("vault"), "and none is made by looking");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_NO_KEY,
		"so there is no key");
	ok(strstr(b.why.message, "llmb key add openai") != NULL, "and what to do is said");
	is_err(unlock(&b, "x"), ERR_NO_KEY, "nor anything to unlock");
	is_err(take_out(&b, "openai", ""), ERR_NO_KEY, "nor to remove");
	vault_add(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("k"), false, answer(&b));
	is_err(settle(&b), ERR_NO_KEY, "who may not create does not");
	ok(!is_there("vault") && !is_there("vault.key"), "nothing was made");

	const int64_t before_s = (int64_t)time(NULL);
	vault_add(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-1"), true, answer(&b));
	is_int(b.answers, 3, "the answer does not come before the call returned");
	ok(vault_is_busy(b.vault), "meanwhile the vault is busy");
	is_err(settle(&b), OK, "the first key makes a vault");
	ok(!vault_is_busy(b.vault), "and then it rests");
	is_str(held(&b), "openai/=sk-1", "which holds it");
	ok(vault_is_unattended(b.vault), "it opens by its key file");
	ok(!vault_has_passphrase(b.vault), "and has no passphrase");
	ok(stat(path("vault"), &st) == 0 && (st.st_mode & 0777) == 0600, "the file is ours alone");
	ok(stat(path("vault.key"), &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == 32,
		"and so is the key file");
	ok(!is_there("vault.bak") && !is_there("vault.new"), "no other is left behind");

	is_err(add(&b, "openai", "work", "sk-2"), OK, "a second key");
	is_err(add(&b, "anthropic", "", "sk-3"), OK, "a third");
	const struct vault_key *keys = vault_list(b.vault, &n);
	is_uint(n, 3, "three are listed");
	is_str(keys[1].provider, "openai", "its provider");
	is_str(keys[1].label, "work", "its label");
	is_str(keys[1].origin, ORIGIN, "its origin");
	is_uint(strlen(keys[1].fingerprint), 8, "its fingerprint");
	ok(strcmp(keys[0].fingerprint, keys[1].fingerprint) != 0, "which is its own");
	ok(keys[1].created_s >= before_s && keys[1].created_s <= (int64_t)time(NULL), "its age");
	is_int(keys[1].last_used_s, 0, "and that nobody used it");
	ok(vault_has(b.vault, SPAN("openai")) && !vault_has(b.vault, SPAN("groq")),
		"it knows whose");

	is_err(vault_get(b.vault, SPAN("openai"), SPAN("work"), &s, &b.why), OK, "a key is got");
	struct span bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, "sk-2", 4, "the one that was meant");
	secret_close(s);
	ok(span_is(secret_origin(s), ORIGIN), "with its origin");
	secret_unref(s);
	ok(vault_list(b.vault, &n)[1].last_used_s >= before_s, "now it was used");

	is_err(add(&b, "openai", "work", "sk-4"), OK, "a key of the same name");
	is_str(held(&b), "openai/=sk-1 openai/work=sk-4 anthropic/=sk-3", "replaces the other");
	is_str(kept(NULL), "openai/=sk-1 openai/work=sk-4 anthropic/=sk-3", "all is kept");
	is_err(take_out(&b, "openai", ""), OK, "one is removed");
	is_str(held(&b), "openai/work=sk-4 anthropic/=sk-3", "it alone");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), OK,
		"without a default the first will do");
	secret_unref(s);
	is_err(vault_get(b.vault, SPAN("openai"), SPAN("home"), &s, &b.why), ERR_NO_KEY,
		"but not for another label");
	is_err(take_out(&b, "openai", ""), ERR_NO_KEY, "it cannot be removed again");
	is_str(kept(NULL), "openai/work=sk-4 anthropic/=sk-3", "that is kept too");
	close_bench(&b);

	open_bench(&b, NULL);
	ok(vault_list(b.vault, &n)[0].last_used_s >= before_s, "and so is when it was used");
	close_bench(&b);
}

/* A key that administers an account is for what names it. */
static void test_admin_label(void)
{
	struct bench b;
	struct secret *s = NULL;

	fresh_dir();
	open_bench(&b, NULL);
	is_err(add(&b, "openai", VAULT_LABEL_ADMIN, "sk-admin"), OK, "a key that administers");
	ok(!vault_has(b.vault, SPAN("openai")), "is none to make calls with");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_NO_KEY,
		"nor is it got so");
	ok(s == NULL, "nothing is got");
	ok(!vault_has_old(b.vault, SPAN("openai"), SPAN_NONE), "nor was there one before it");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN(VAULT_LABEL_ADMIN), &s, &b.why), OK,
		"by its label it is");
	secret_unref(s);
	is_err(add(&b, "openai", "work", "sk-work"), OK, "one for calls");
	ok(vault_has(b.vault, SPAN("openai")), "is one");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), OK, "that is got");
	const struct span bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, "sk-work", 7, "though it came later");
	secret_close(s);
	secret_unref(s);
	close_bench(&b);
}

static void test_lock(void)
{
	struct bench b;
	struct secret *held_one, *s;
	size_t n;

	fresh_dir();
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &held_one, &b.why), OK,
		"a call's key");
	vault_lock(b.vault);
	is_str(vault_state_name(vault_state(b.vault)), "locked", "locked at once");
	vault_list(b.vault, &n);
	is_uint(n, 0, "nothing is listed");
	ok(!vault_has(b.vault, SPAN("openai")), "nothing is there");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_LOCKED, "or got");
	const struct span bytes = secret_open(held_one);
	is_mem(bytes.p, bytes.n, "sk-1", 4, "but a call under way can end");
	secret_close(held_one);
	secret_unref(held_one);
	is_err(add(&b, "openai", "", "sk-2"), ERR_LOCKED, "nothing is added");
	is_err(take_out(&b, "openai", ""), ERR_LOCKED, "or removed");
	is_err(set_passphrase(&b, "x", true), ERR_LOCKED, "or changed");
	is_err(unlock(&b, "x"), ERR_WRONG_PASSPHRASE, "there is no passphrase");
	ok(vault_is_unattended(b.vault), "but there is the key file");
	is_err(unlock(&b, NULL), OK, "which opens it");
	is_str(held(&b), "openai/=sk-1", "as it was");

	vault_lock(b.vault);
	vault_unlock(b.vault, SPAN_NONE, answer(&b));
	vault_lock(b.vault);
	is_err(settle(&b), ERR_LOCKED, "a lock ends an unlock that is under way");
	is_str(held(&b), "locked", "it is locked");

	is_err(unlock(&b, NULL), OK, "open again");
	vault_add(b.vault, SPAN("groq"), SPAN(""), SPAN(ORIGIN), SPAN("sk-2"), true, answer(&b));
	vault_lock(b.vault);
	is_err(settle(&b), OK, "a key on its way is kept though the vault is locked");
	is_str(held(&b), "locked", "but the vault stays locked");
	is_str(kept(NULL), "openai/=sk-1 groq/=sk-2", "and the key is there");

	vault_unlock(b.vault, SPAN_NONE, answer(&b));
	vault_add(b.vault, SPAN("xai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-3"), true, answer(&b));
	vault_remove(b.vault, SPAN("groq"), SPAN(""), answer(&b));
	b.answers = 0;
	loop_virtual_settle(b.loop);
	is_int(b.answers, 3, "several operations wait their turn");
	is_err(b.err, OK, "and all are done");
	is_str(held(&b), "openai/=sk-1 xai/=sk-3", "in order");
	vault_unlock(b.vault, SPAN_NONE, answer(&b));
	close_bench(&b);
}

static void test_passphrase(void)
{
	struct bench b;

	fresh_dir();
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	is_err(set_passphrase(&b, "", true), ERR_INVALID_ARGUMENT, "an empty passphrase is none");
	is_err(set_passphrase(&b, NULL, false), ERR_INVALID_ARGUMENT, "the last way in stays");
	is_err(set_passphrase(&b, NULL, true), OK, "there is no passphrase to remove");
	is_err(set_passphrase(&b, "correct horse", true), OK, "a passphrase beside the key file");
	ok(vault_has_passphrase(b.vault) && vault_is_unattended(b.vault), "both are ways in");
	vault_lock(b.vault);
	is_err(unlock(&b, "wrong"), ERR_WRONG_PASSPHRASE, "a wrong one");
	is_str(held(&b), "locked", "opens nothing");
	ok(vault_is_unattended(b.vault), "and takes nothing away");
	is_err(unlock(&b, "correct horse"), OK, "the right one");
	is_str(held(&b), "openai/=sk-1", "opens it");
	is_err(unlock(&b, "wrong"), ERR_WRONG_PASSPHRASE, "a wrong one while it is open");
	is_str(held(&b), "openai/=sk-1", "does not close it");

	is_err(set_passphrase(&b, "battery staple", false), OK, "another, without the key file");
	ok(!vault_is_unattended(b.vault), "now somebody must be there");
	ok(!is_there("vault.key"), "the key file is gone");
	is_str(kept(NULL), "locked", "the next start is locked");
	is_str(kept("correct horse"), "the passphrase does not open the vault",
		"the old one is out");
	is_str(kept("battery staple"), "openai/=sk-1", "the new one is in");
	const struct bytes bak = read_file("vault.bak");
	is_mem(bak.p, bak.n, read_file("vault").p, read_file("vault").n,
		"the backup has no more ways in than the vault");
	is_err(set_passphrase(&b, NULL, true), ERR_INVALID_ARGUMENT, "the last way in stays");
	is_err(add(&b, "groq", "", "sk-2"), OK, "keys are added as before");
	is_str(kept("battery staple"), "openai/=sk-1 groq/=sk-2", "and kept");
	close_bench(&b);

	open_bench(&b, NULL);
	is_str(held(&b), "locked", "locked at the start");
	ok(vault_has_passphrase(b.vault) && !vault_is_unattended(b.vault), "and it knows why");
	is_err(unlock(&b, NULL), ERR_WRONG_PASSPHRASE, "there is no key file");
	close_bench(&b);
}

/* ---- what is not a key ---- */

static const struct {
	const char *name, *provider, *label, *origin, *secret;
	const char *want; /* words of the sentence */
} refused[] = {
	{"no key",		     "p",								"",								 ORIGIN,      "",                "empty"                      },
	{"a line break in the middle", "p",								"",								 ORIGIN,      "sk-1\nsk-2",      "line break in it at byte 4" },
	{"a line break at the end",    "p",								"",								 ORIGIN,      "sk-1\n",          "tr -d"                      },
	{"a carriage return",          "p",								"",								 ORIGIN,      "sk-1\r",          "line break"                 },
	{"a tab",		      "p",								"",								 ORIGIN,      "sk\t1",           "control character at byte 2"},
	{"a delete",                   "p",								"",								 ORIGIN,      "sk\177",          "control character"          },
	{"a typographic dash",         "p",								"",								 ORIGIN,      "sk\342\200\2231", "not ASCII"                  },
	{"a space before",             "p",								"",								 ORIGIN,      " sk",             "space"                      },
	{"a space behind",             "p",								"",								 ORIGIN,      "sk ",             "space"                      },
	{"no provider",                "",								 "",								 ORIGIN,      "sk",              "provider's name is empty"   },
	{"a long provider",            "0123456789012345678901234567890123456789012345678901234567890123", "",
         ORIGIN,																					    "sk",              "longer than 63"             },
	{"a long label",               "p",								"0123456789012345678901234567890123456789012345678901234567890123",
         ORIGIN,																					    "sk",              "longer than 63"             },
	{"a label of two lines",       "p",								"a\nb",							     ORIGIN,      "sk",              "control character"          },
	{"a label that is no text",    "p",								"a\377",							    ORIGIN,      "sk",              "not UTF-8"                  },
	{"no origin",                  "p",								"",								 "",          "sk",              "origin"                     },
	{"an origin that is none",     "p",								"",								 "ftp://x:1", "sk",              "origin"                     },
};

static void test_refused(void)
{
	static char large[LIMIT_SECRET_BYTES + 1];
	struct bench b;

	fresh_dir();
	open_bench(&b, NULL);
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		vault_add(b.vault, span_str(refused[i].provider), span_str(refused[i].label),
			span_str(refused[i].origin), span_str(refused[i].secret), true, answer(&b));
		is_err(settle(&b), ERR_INVALID_ARGUMENT, "%s", refused[i].name);
		if (!ok(strstr(b.why.message, refused[i].want) != NULL, "and why is said"))
			diag("%s", b.why.message);
	}
	memset(large, 'k', sizeof large);
	vault_add(b.vault, SPAN("p"), SPAN(""), SPAN(ORIGIN), span_of(large, sizeof large), true,
		answer(&b));
	is_err(settle(&b), ERR_INVALID_ARGUMENT, "a whole file");
	vault_add(b.vault, SPAN("p"), SPAN(""), SPAN(ORIGIN), span_of(large, sizeof large - 1),
		true, answer(&b));
	is_err(settle(&b), OK, "the longest key");
	struct secret *s = NULL;
	is_err(vault_get(b.vault, SPAN("p"), SPAN_NONE, &s, &b.why), OK, "is kept");
	const struct span bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, large, sizeof large - 1, "whole");
	secret_close(s);
	secret_unref(s);
	close_bench(&b);
}

static void test_full(void)
{
	static char large[LIMIT_SECRET_BYTES];
	struct bench b;
	char label[16];
	int n = 0;

	fresh_dir();
	open_bench(&b, NULL);
	memset(large, 'k', sizeof large);
	do {
		snprintf(label, sizeof label, "%d", n++);
		vault_add(b.vault, SPAN("p"), span_str(label), SPAN(ORIGIN),
			span_of(large, sizeof large), true, answer(&b));
	} while (settle(&b) == OK && n < 100);
	is_err(b.err, ERR_TOO_BIG, "a vault can be full");
	is_int(n, 64, "after 63 keys of the largest size");
	is_err(take_out(&b, "p", "0"), OK, "then one can go");
	is_err(add(&b, "p", "x", "sk"), OK, "and another come");
	close_bench(&b);
}

/* ---- a file that is not what was written ---- */

/* Whatever the file has become, it is not opened, not touched and not written over. */
static bool is_left_alone(const char *passphrase)
{
	const struct bytes before = read_file("vault");
	struct bench b;
	bool is_alone = true;

	open_bench(&b, NULL);
	if (passphrase && vault_state(b.vault) == VAULT_LOCKED)
		is_alone = unlock(&b, passphrase) != OK;
	is_alone = is_alone && vault_state(b.vault) != VAULT_OPEN &&
		   vault_state(b.vault) != VAULT_ABSENT && add(&b, "x", "", "y") != OK &&
		   take_out(&b, "openai", "") != OK && set_passphrase(&b, "z", true) != OK;
	close_bench(&b);
	return is_alone && is_same_file("vault", &before) && !is_there("vault.new");
}

static void test_changed_bytes(void)
{
	static const unsigned char masks[] = {0x01, 0xff};
	size_t failures = 0;
	struct bench b;

	fresh_dir();
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	close_bench(&b);
	const struct bytes good = read_file("vault");
	for (size_t i = 0; i < good.n; i++) {
		for (size_t m = 0; m < sizeof masks; m++) {
			struct bytes bad = good;
			bad.p[i] = (char)(bad.p[i] ^ masks[m]);
			write_file("vault", bad.p, bad.n);
			if (is_left_alone(NULL))
				continue;
			failures++;
			diag("byte %zu of %zu, mask %#x", i, good.n, masks[m]);
		}
	}
	is_uint(failures, 0, "a vault with one byte changed (%zu of them) is left alone", good.n);
	for (size_t n = 0; n < good.n; n++) {
		write_file("vault", good.p, n);
		failures += !is_left_alone(NULL);
	}
	is_uint(failures, 0, "and so is one that is cut off anywhere");
	write_file("vault", good.p, good.n);
	is_str(kept(NULL), "openai/=sk-1", "the unchanged one opens");

	open_bench(&b, NULL);
	set_passphrase(&b, "pass", false);
	close_bench(&b);
	const struct bytes sealed = read_file("vault");
	for (size_t i = 0; i < sealed.n; i += i < 37 + 34 ? 1 : 13) {
		struct bytes bad = sealed;
		bad.p[i] = (char)(bad.p[i] ^ 1);
		write_file("vault", bad.p, bad.n);
		if (is_left_alone("pass"))
			continue;
		failures++;
		diag("byte %zu of %zu", i, sealed.n);
	}
	is_uint(failures, 0, "with a passphrase the same");
	write_file("vault", sealed.p, sealed.n);
	is_str(kept("pass"), "openai/=sk-1", "the unchanged one opens");
}

static void put_garbage(void)
{
	write_file("vault", "garbage", 7);
}
static void put_nothing(void)
{
	write_file("vault", "", 0);
}
static void put_newer(void)
{
	struct bytes b = read_file("vault");
	b.p[8] = 3;
	write_file("vault", b.p, b.n);
}
static void put_large(void)
{
	truncate(path("vault"), 2 << 20) == 0 ? (void)0 : bail("truncate");
}
static void put_symlink(void)
{
	if (rename(path("vault"), path("elsewhere")) || symlink("elsewhere", path("vault")))
		bail("symlink");
}
static void put_dangling(void)
{
	if (unlink(path("vault")) || symlink("nowhere", path("vault")))
		bail("symlink");
}
static void put_folder(void)
{
	if (unlink(path("vault")) || mkdir(path("vault"), 0700))
		bail("mkdir");
}
static void put_fifo(void)
{
	if (unlink(path("vault")) || mkfifo(path("vault"), 0600))
		bail("mkfifo");
}
static void put_writable(void)
{
	if (chmod(path("vault"), 0620))
		bail("chmod");
}
static void put_aside(void)
{
	if (unlink(path("vault")))
		bail("unlink");
}
static void open_dir_up(void)
{
	if (chmod(dir, 0777))
		bail("chmod");
}
static void open_key_up(void)
{
	if (chmod(path("vault.key"), 0640))
		bail("chmod");
}
static void drop_key(void)
{
	if (unlink(path("vault.key")))
		bail("unlink");
}
static void change_key(void)
{
	write_file("vault.key", "another key of thirty-two bytes..", 32);
}
static void lengthen_key(void)
{
	write_file("vault.key", "another key of thirty-two bytes..", 33);
}
static void link_key(void)
{
	if (rename(path("vault.key"), path("k")) || symlink("k", path("vault.key")))
		bail("symlink");
}
static void unreadable(void)
{
	if (chown(path("vault"), 12345, 12345) != 0)
		bail("chown");
}

static const struct {
	const char *name;
	void (*make)(void);
	bool needs_root;
	const char *want[2]; /* words of the sentence */
} unusables[] = {
	{"garbage",			 put_garbage,  false, {"does not begin as a vault does", "cp -p"}},
	{"an empty file",                   put_nothing,  false, {"is empty", "vault.bak"}                  },
	{"a newer vault",                   put_newer,    false, {"format 3", "newer version"}              },
	{"a large file",                    put_large,    false, {"larger than any vault", ""}              },
	{"a symbolic link",                 put_symlink,  false, {"symbolic link", ""}                      },
	{"a dangling link",                 put_dangling, false, {"symbolic link", ""}                      },
	{"a folder",			put_folder,   false, {"regular file", ""}                       },
	{"a FIFO",			  put_fifo,     false, {"regular file", ""}                       },
	{"a vault that others can write",   put_writable, false, {"others have access", "chmod"}            },
	{"a backup alone",                  put_aside,    false, {"is missing", "cp -p"}                    },
	{"a folder that others can write",  open_dir_up,  false, {"others may write", "chmod go-w"}         },
	{"a key file that others can read", open_key_up,  false, {"vault.key", "chmod 600"}                 },
	{"no key file",                     drop_key,     false, {"vault.key is not there", "put it back"}  },
	{"another key file",                change_key,   false, {"does not fit", "cp -p"}                  },
	{"a key file of another length",    lengthen_key, false, {"must hold 32 bytes", ""}                 },
	{"a key file by a link",            link_key,     false, {"symbolic link", ""}                      },
	{"somebody else's file",            unreadable,   true,  {"belongs to user 12345", "chown"}         },
};

static void test_unusable(void)
{
	for (size_t i = 0; i < COUNT_OF(unusables); i++) {
		struct bench b;
		struct secret *s;
		fresh_dir();
		open_bench(&b, NULL);
		add(&b, "openai", "", "sk-1");
		add(&b, "groq", "", "sk-2");
		close_bench(&b);
		if (unusables[i].needs_root && geteuid() != 0) {
			skip("%s: only root can make one", unusables[i].name);
			continue;
		}
		unusables[i].make();
		open_bench(&b, NULL);
		is_str(held(&b), "damaged", "%s is not a vault", unusables[i].name);
		for (size_t w = 0; w < 2; w++) {
			if (!ok(strstr(b.why.message, unusables[i].want[w]) != NULL,
				    "it is said: %s", unusables[i].want[w]))
				diag("%s", b.why.message);
		}
		is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_VAULT_DAMAGED,
			"no key comes of it");
		ok(add(&b, "x", "", "y") != OK, "none goes into it");
		ok(strstr(b.why.message, unusables[i].want[0]) != NULL, "for the same reason");
		close_bench(&b);
	}
}

/* The advice, taken. */
static void test_advice(void)
{
	struct bench b;
	char command[512];

	fresh_dir();
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	add(&b, "groq", "", "sk-2");
	put_garbage();
	is_str(held(&b), "openai/=sk-1 groq/=sk-2", "what is open stays open");
	is_err(add(&b, "xai", "", "sk-3"), ERR_VAULT_DAMAGED, "but nothing is written over");
	is_mem(read_file("vault").p, 7, "garbage", 7, "what it does not know");
	close_bench(&b);
	open_bench(&b, NULL);
	const char *from = strstr(b.why.message, "`cp -p"),
		   *to = from ? strchr(from + 1, '`') : NULL;
	if (!to)
		bail("no advice in: %s", b.why.message);
	snprintf(command, sizeof command, "%.*s", (int)(to - from - 1), from + 1);
	is_int(system(command), 0, "the advice can be followed");
	is_err(unlock(&b, NULL), OK, "and the backup opens");
	is_str(held(&b), "openai/=sk-1", "with all but the last change");
	close_bench(&b);
}

/* ---- writing that fails ---- */

static int fail_at, step_count, fail_with;

static bool is_proof; /* what failed was no call to the kernel */

static int failing_step(const char *step)
{
	if (step_count++ != fail_at)
		return 0;
	is_proof = strcmp(step, "prove vault.new") == 0;
	return fail_with;
}

static _Noreturn void die(void)
{
	_exit(0);
}

static int deadly_step(const char *step)
{
	(void)step;
	if (step_count++ == fail_at)
		die();
	return 0;
}

static enum err do_add(struct bench *b)
{
	return add(b, "groq", "", "sk-2");
}
static enum err do_remove(struct bench *b)
{
	return take_out(b, "openai", "");
}
static enum err do_passphrase(struct bench *b)
{
	return set_passphrase(b, "pass", false);
}
static enum err do_first(struct bench *b)
{
	vault_add_first(b->vault, SPAN("groq"), SPAN(""), SPAN(ORIGIN), SPAN("sk-2"), SPAN("pass"),
		answer(b));
	return settle(b);
}
static enum err do_rotate(struct bench *b)
{
	vault_rotate(
		b->vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-9"), 100, answer(b));
	return settle(b);
}
#define CODE "KB64-MDHF-T05Z-SJKN-1CNM-A9ZA-SQCR-Y3G7-Q0Z3"
static enum err do_slot(struct bench *b)
{
	vault_slot_add(b->vault, SLOT_RECOVERY, SPAN(CODE), answer(b));
	return settle(b);
}

static const struct {
	const char *name;
	enum err (*change)(struct bench *b);
	bool is_first; /* there is no vault before */
	const char *before, *after;
} changes[] = {
	{"the first key",                    do_add,        true,  "absent",       "groq/=sk-2"             },
	{"the first key, with a passphrase", do_first,      true,  "absent",       "groq/=sk-2"             },
	{"a key rotated",                    do_rotate,     false, "openai/=sk-1", "openai/=sk-9"           },
	{"a key added",                      do_add,        false, "openai/=sk-1", "openai/=sk-1 groq/=sk-2"},
	{"a key removed",                    do_remove,     false, "openai/=sk-1", ""                       },
	{"a passphrase set",                 do_passphrase, false, "openai/=sk-1", "openai/=sk-1"           },
	{"a slot added",                     do_slot,       false, "openai/=sk-1", "openai/=sk-1"           },
};

static void prepare(size_t i)
{
	struct bench b;
	on_step = NULL;
	fresh_dir();
	if (changes[i].is_first)
		return;
	open_bench(&b, NULL);
	add(&b, "xai", "", "sk-0");
	take_out(&b, "xai", "");
	add(&b, "openai", "", "sk-1");
	close_bench(&b);
}

/* Each step of each change is made to fail, with each of two causes. */
static void test_failing_steps(void)
{
	static const int causes[] = {EIO, ENOSPC};
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		int steps = 0;
		bool is_over = false;
		for (int n = 0; !is_over; n++) {
			const int cause = causes[n % 2];
			struct bench b;
			prepare(i);
			const struct bytes vault = read_file("vault"), key = read_file("vault.key");
			on_step = failing_step;
			fail_at = -1;
			open_bench(&b, NULL);
			step_count = 0;
			fail_at = n / 2;
			fail_with = cause;
			const enum err err = changes[i].change(&b);
			is_over = step_count <= fail_at;
			on_step = NULL;
			if (err == OK) {
				/* a link that fails is replaced by a copy */
				is_str(held(&b), changes[i].after, "%s, step %d: done",
					changes[i].name, n / 2);
			} else {
				steps++;
				is_err(err,
					cause == ENOSPC && !is_proof ? ERR_STORAGE_FULL : ERR_IO,
					"%s, step %d fails: %s", changes[i].name, n / 2,
					b.why.message);
				is_str(held(&b), changes[i].before, "memory is as it was");
				ok(is_same_file("vault", &vault), "the file is as it was");
				ok(is_same_file("vault.key", &key), "the key file too");
				ok(!is_there("vault.new") && !is_there("vault.bak~"),
					"nothing is left over");
				is_err(changes[i].change(&b), OK, "the next try is made");
				is_str(held(&b), changes[i].after, "and does what it should");
			}
			close_bench(&b);
			is_str(kept("pass"), changes[i].after, "a new start finds the same");
		}
		ok(steps >= 16, "%s fails in %d ways", changes[i].name, steps);
	}
	on_step = NULL;
}

/* The power of kill -9, before each step. */
static void test_dying(void)
{
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		int deaths = 0;
		for (bool is_over = false; !is_over; deaths++) {
			prepare(i);
			const pid_t child = fork();
			if (child == 0) {
				struct bench b;
				on_step = deadly_step;
				fail_at = -1;
				open_bench(&b, NULL);
				step_count = 0;
				fail_at = deaths;
				_exit(changes[i].change(&b) == OK ? 1 : 2);
			}
			int status = 0;
			waitpid(child, &status, 0);
			if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
				bail("%s: the child ended with %#x", changes[i].name, status);
			is_over = WEXITSTATUS(status) == 1;
			const char *found = kept("pass");
			ok(strcmp(found, changes[i].before) == 0 ||
					strcmp(found, changes[i].after) == 0,
				"%s, killed at step %d: %s", changes[i].name, deaths, found);
			struct bench b;
			open_bench(&b, NULL);
			if (vault_state(b.vault) == VAULT_LOCKED)
				unlock(&b, "pass");
			is_err(add(&b, "late", "", "sk-9"), OK, "and the next change is made");
			close_bench(&b);
		}
		ok(deaths >= 8, "%s can be killed at %d places", changes[i].name, deaths);
	}
}

static void test_unwritable(void)
{
	struct bench b;

	fresh_dir();
	const uid_t me = geteuid(), other = 65534;
	if (me == 0 && (chown(dir, other, other) != 0 || seteuid(other) != 0)) {
		skip("this user cannot become another");
		return;
	}
	open_bench(&b, NULL);
	is_err(add(&b, "openai", "", "sk-1"), OK, "a writable folder");
	const struct bytes vault = read_file("vault");
	ok(chmod(dir, 0500) == 0, "one that is not");
	is_err(add(&b, "groq", "", "sk-2"), ERR_IO, "takes no key");
	ok(strstr(b.why.message, "Permission denied. The vault is as it was") != NULL,
		"and why is said: %s", b.why.message);
	is_str(held(&b), "openai/=sk-1", "memory is as it was");
	ok(is_same_file("vault", &vault), "the file too");
	ok(chmod(dir, 0000) == 0, "one that cannot be read");
	struct bench blind;
	open_bench(&blind, NULL);
	is_str(held(&blind), "damaged", "is not taken for an empty one");
	ok(strstr(blind.why.message, "Permission denied") != NULL, "and why is said: %s",
		blind.why.message);
	close_bench(&blind);
	ok(chmod(dir, 0700) == 0, "writable again");
	ok(chmod(path("vault"), 0000) == 0, "a file that cannot be read");
	open_bench(&blind, NULL);
	is_str(held(&blind), "damaged", "is not taken for none");
	is_err(add(&blind, "groq", "", "sk-2"), ERR_IO, "nor written over");
	close_bench(&blind);
	ok(chmod(path("vault"), 0600) == 0, "and back");
	is_err(add(&b, "groq", "", "sk-2"), OK, "then it takes keys again");
	close_bench(&b);
	if (me == 0 && seteuid(me) != 0)
		bail("cannot become root again");
}

static void test_missing_folder(void)
{
	struct bench b;
	struct stat st;
	char parent[sizeof dir - 16];

	fresh_dir();
	snprintf(parent, sizeof parent, "%.100s", dir);
	snprintf(dir, sizeof dir, "%s/state", parent);
	open_bench(&b, NULL);
	is_str(held(&b), "absent", "without a state folder there is no vault");
	is_err(add(&b, "openai", "", "sk-1"), OK, "the first key makes both");
	ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "for us alone");
	close_bench(&b);
	snprintf(dir, sizeof dir, "%s/no/such", parent);
	open_bench(&b, NULL);
	is_err(add(&b, "openai", "", "sk-1"), ERR_IO, "but not the folders above");
	ok(strstr(b.why.message, "cannot make the state folder") != NULL, "and that is said");
	close_bench(&b);
	snprintf(dir, sizeof dir, "%s", parent);
}

/* A disk of a few pages, really full. */
static void test_full_disk(void)
{
	static char filler[1 << 16];
	struct bench b;

	fresh_dir();
	if (geteuid() != 0 || mount("tmpfs", dir, "tmpfs", 0, "size=48k,mode=0700") != 0) {
		skip("no small disk can be mounted here");
		return;
	}
	open_bench(&b, NULL);
	is_err(add(&b, "openai", "", "sk-1"), OK, "there is room for a vault");
	const struct bytes vault = read_file("vault");
	const int fd = open(path("filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, filler, 4096) > 0)
		continue;
	close(fd);
	is_err(add(&b, "groq", "", "sk-2"), ERR_STORAGE_FULL, "and then there is none");
	ok(strstr(b.why.message, "No space left on device. Free some space there. The vault is as "
				 "it was") != NULL,
		"which is said: %s", b.why.message);
	is_str(held(&b), "openai/=sk-1", "memory is as it was");
	ok(is_same_file("vault", &vault), "the file too");
	unlink(path("filler"));
	is_err(add(&b, "groq", "", "sk-2"), OK, "with room again it goes on");
	is_str(kept(NULL), "openai/=sk-1 groq/=sk-2", "and keeps all");
	close_bench(&b);
	if (umount(dir) != 0)
		bail("cannot unmount %s", dir);
}

/* ---- more than one broker ---- */

static void test_two_brokers(void)
{
	struct bench a, b;

	fresh_dir();
	open_bench(&a, NULL);
	open_bench(&b, NULL);
	is_err(add(&a, "openai", "", "sk-1"), OK, "one broker makes the vault");
	is_err(add(&b, "groq", "", "sk-2"), OK, "another adds to it");
	is_str(held(&b), "openai/=sk-1 groq/=sk-2", "and sees both");
	is_err(add(&a, "xai", "", "sk-3"), OK, "the first goes on");
	is_str(held(&a), "openai/=sk-1 groq/=sk-2 xai/=sk-3", "and loses nothing");
	close_bench(&b);

	/* all at once, from processes of their own */
	for (int i = 0; i < 5; i++) {
		if (fork() != 0)
			continue;
		char name[16];
		snprintf(name, sizeof name, "p%d", i);
		open_bench(&b, NULL);
		_exit(add(&b, name, "", "sk") == OK ? 0 : 1);
	}
	int status, failures = 0;
	while (wait(&status) > 0)
		failures += status != 0;
	is_int(failures, 0, "five more write at once");
	size_t n;
	open_bench(&b, NULL);
	vault_list(b.vault, &n);
	is_uint(n, 8, "and no key is lost");
	close_bench(&b);

	const struct bytes old = read_file("vault.bak");
	write_file("vault", old.p, old.n);
	is_err(unlock(&a, NULL), OK, "what is there now is read");
	const struct bytes now = read_file("vault");
	is_err(add(&a, "y", "", "sk"), OK, "a key is added");
	write_file("vault", now.p, now.n);
	is_err(add(&a, "z", "", "sk"), ERR_VAULT_DAMAGED, "an older vault put in its place");
	ok(strstr(a.why.message, "older") != NULL, "is noticed: %s", a.why.message);
	ok(is_same_file("vault", &now), "and left alone");
	vault_lock(a.vault);
	is_err(unlock(&a, NULL), OK, "until the user says so");
	is_err(add(&a, "z", "", "sk"), OK, "then it is the vault");

	unlink(path("vault"));
	is_err(add(&a, "w", "", "sk"), ERR_VAULT_DAMAGED, "a vault taken away is not made anew");
	ok(!is_there("vault"), "by accident");
	unlink(path("vault.bak"));
	open_bench(&b, NULL);
	add(&b, "w", "", "sk");
	close_bench(&b);
	is_err(add(&a, "v", "", "sk"), ERR_VAULT_DAMAGED, "nor is another one written to");
	ok(strstr(a.why.message, "another vault") != NULL, "which is said: %s", a.why.message);
	close_bench(&a);
}

static void test_key_file_elsewhere(void)
{
	struct bench b;
	char elsewhere[192];

	fresh_dir();
	snprintf(elsewhere, sizeof elsewhere, "%s", path("given.key"));
	write_file("given.key", "a key file of thirty-two bytes..", 32);
	open_bench(&b, elsewhere);
	is_err(add(&b, "openai", "", "sk-1"), OK, "a key file that is given is used");
	ok(!is_there("vault.key"), "none other is made");
	is_err(set_passphrase(&b, "pass", false), OK, "a passphrase instead");
	ok(is_there("given.key"), "leaves somebody's own file alone");
	close_bench(&b);
}

/* ---- what is left in memory ---- */

#define CANARY 48
static unsigned char masked[CANARY]; /* the canary, so that this is not one */

static void say_canary(char to[CANARY])
{
	for (size_t i = 0; i < CANARY; i++)
		to[i] = (char)(masked[i] ^ 0x55);
}

/* Counts the canary in all memory of this process: in what can be read and written, and in what is
 * closed. Parts of it count too: its first, middle and last sixteen bytes. */
static void count_canaries(int *open_ones, int *closed_ones)
{
	const size_t size = 1 << 20;
	unsigned char *chunk =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	FILE *maps = fopen("/proc/self/maps", "re");
	const int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512];

	*open_ones = *closed_ones = 0;
	if (chunk == MAP_FAILED || !maps || mem < 0)
		bail("cannot look at this process's memory");
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char mode[8];
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || strchr(mode, 's') ||
			to - from > UINT64_C(256) << 20)
			continue;
		if (from <= (unsigned long)chunk && (unsigned long)chunk < to) {
			if (to - from != size)
				from = (unsigned long)chunk + size;
			else
				continue;
		}
		/* a canary that lies across two chunks is found by one of its parts */
		for (unsigned long at = from; at < to; at += size) {
			const size_t want = to - at < size ? to - at : size;
			const ssize_t n = pread(mem, chunk, want, (off_t)at);
			for (ssize_t i = 0; i + 16 <= n; i++) {
				for (size_t part = 0; part < CANARY; part += 16) {
					size_t k = 0;
					while (k < 16 &&
						chunk[i + (ssize_t)k] == (masked[part + k] ^ 0x55))
						k++;
					if (k == 16)
						++*(mode[0] == '-' ? closed_ones : open_ones);
				}
			}
		}
	}
	fclose(maps);
	close(mem);
	munmap(chunk, size);
}

static void test_memory(void)
{
	struct bench b;
	struct secret *s;
	int in_open, in_closed;
	char canary[CANARY];

	fresh_dir();
	for (size_t i = 0; i < CANARY; i++)
		masked[i] = (unsigned char)(0x55 ^ ('0' + randombytes_uniform(75)));
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	say_canary(canary);
	vault_add(b.vault, SPAN("canary"), SPAN(""), SPAN(ORIGIN), span_of(canary, CANARY), true,
		answer(&b));
	sodium_memzero(canary, sizeof canary);
	is_err(settle(&b), OK, "a canary is added");
	is_err(add(&b, "groq", "", "sk-2"), OK, "and another key after it");
	is_err(vault_get(b.vault, SPAN("canary"), SPAN_NONE, &s, &b.why), OK, "the canary is used");
	const struct span bytes = secret_open(s);
	is_uint(bytes.n, CANARY, "and read");
	secret_close(s);
	count_canaries(&in_open, &in_closed);
	is_int(in_closed, 6, "it lies in the body and in its secret, both closed");
	is_int(in_open, 0, "and nowhere that can be read");
	is_err(set_passphrase(&b, "passphrase", true), OK, "the vault is changed");
	vault_lock(b.vault);
	count_canaries(&in_open, &in_closed);
	is_int(in_closed, 3, "locked, the call's own copy is left");
	secret_unref(s);
	count_canaries(&in_open, &in_closed);
	is_int(in_open + in_closed, 0, "and when that ends, none");

	/* the passphrase, too, and what a wrong turn leaves */
	say_canary(canary);
	is_err(unlock(&b, "passphrase"), OK, "open again");
	on_step = NULL;
	vault_set_passphrase(b.vault, span_of(canary, CANARY), true, answer(&b));
	settle(&b);
	vault_lock(b.vault);
	vault_unlock(b.vault, span_of(canary, CANARY), answer(&b));
	is_err(settle(&b), OK, "the canary as a passphrase");
	vault_add(b.vault, SPAN("x"), SPAN("\n"), SPAN(ORIGIN), span_of(canary, CANARY), true,
		answer(&b));
	is_err(settle(&b), ERR_INVALID_ARGUMENT, "the canary refused");
	sodium_memzero(canary, sizeof canary);
	vault_lock(b.vault);
	count_canaries(&in_open, &in_closed);
	is_int(in_open + in_closed, 0, "leaves nothing behind");
	close_bench(&b);
}

/* ---- a newer broker's vault ---- */

static void test_newer_parts(void)
{
	struct vault_header h = {.generation = 4, .id = "an id of 16 byte"};
	static const unsigned char data_key[] = "a data key of thirty-two bytes..";
	static const unsigned char file_key[] = "a key file of thirty-two bytes..";
	const struct span record = SPAN("\x65\7\6\0\0\0record");
	unsigned char key[FORMAT_KEY_BYTES], body[64];
	struct slot slot = format_slot_new(SLOT_KEY_FILE, cheap), later = {.type = 9, .kdf = 9};
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	struct writer w = {.p = body, .max = sizeof body};
	struct bench b;
	struct sealed again;

	fresh_dir();
	format_key_of_bytes(&slot, file_key, key);
	format_slot_seal(&h, &slot, key, data_key);
	memset(later.wrapped, 'w', sizeof later.wrapped);
	ok(format_slot_put(&h, &later) && format_slot_put(&h, &slot), "a slot to come, and ours");
	body_empty(&w);
	write_bytes(&w, record.p, record.n);
	is_err(format_seal(&h, data_key, span_of((const char *)body, w.n), &file), OK, "sealed");
	write_file("vault", file.p, file.n);
	write_file("vault.key", file_key, FORMAT_KEY_BYTES);
	open_bench(&b, NULL);
	is_str(held(&b), "", "a newer broker's vault opens");
	is_err(add(&b, "openai", "", "sk-1"), OK, "and takes a key");
	close_bench(&b);
	const struct bytes now = read_file("vault");
	is_err(format_parse(span_of(now.p, now.n), &again, &b.why), OK, "it is one still");
	is_uint(again.header.generation, 5, "of the next generation");
	is_mem(&again.header.slots[0].wrapped, 48, later.wrapped, 48, "the slot is carried");
	unsigned char got[512];
	ok(format_body_size(&again) < sizeof got && format_open(&again, data_key, got), "it opens");
	ok(span_find(span_of((const char *)got, format_body_size(&again)), record) <
			format_body_size(&again),
		"and the record is carried");
}

/* ---- an older broker's vault ---- */

/* Of format 1, as version 0.1 wrote it. */
static const char old_vault[] = "42524b564c54000101000100010000000000000025566678518e284c338d6b8d"
				"7c2ceab7010202442eb3163fc49b3b3ee0e38ba141fed8000000000000000000"
				"000000000000008dc37c7fa5d822f907fd73705514f1edadcb7b45fc3171cb14"
				"b624aba3def93af108003fc16ec673f498cc8b84e4f45dd28646250249615c72"
				"3719e50d5e43000a64a60c20fee918b478ecabeddfcae6ee6ae8e728509075ad"
				"4be6e0a613b2699f2cdd22f95617d488878ac985484dc240813c4241d095349a"
				"bc64a96731e7577a000000790bdd5ab27ea63713fccb7110e59a61459eca2e99"
				"7d53d64aca46898fb3eab377eff264bfdc8ab4b4a43464632c50f4068938977a"
				"fd4b10b83fd7567f023a5b061b1ec3b59005a8e3a94a7f4736ba4ef793e4070c"
				"bd8b998d8100a5a540f13ba912dcbfe739df618f958957b5ddc69b697fc1a71a"
				"d044012fe2";
static const char old_key_file[] =
	"d33e5e57db2818e43927b04c03a9c42b8b167205f6aae0bca8f447660bb0ce6a";

static void write_hex(const char *name, const char *hex)
{
	unsigned char bytes[1024];
	size_t n;
	if (sodium_hex2bin(bytes, sizeof bytes, hex, strlen(hex), NULL, &n, NULL) != 0)
		bail("not hexadecimal");
	write_file(name, bytes, n);
}

static void test_older_file(void)
{
	struct bench b;

	fresh_dir();
	write_hex("vault", old_vault);
	write_hex("vault.key", old_key_file);
	open_bench(&b, NULL);
	is_str(held(&b), "openai/=sk-old", "a vault of format 1 opens");
	is_int(read_file("vault").p[8], 1, "and stays what it is");
	vault_slot_add(b.vault, SLOT_CREDENTIAL, SPAN_NONE, answer(&b));
	is_err(settle(&b), ERR_LOCKED, "what fails leaves it");
	is_int(read_file("vault").p[8], 1, "as well");
	is_err(set_passphrase(&b, "pass", true), OK, "a slot is added to it");
	is_int(read_file("vault").p[8], 2, "which makes it one of format 2");
	is_str(kept(NULL), "openai/=sk-old", "that opens");
	close_bench(&b);
}

/* ---- slots ---- */

static struct bytes body_of(const struct bytes *file)
{
	struct sealed s;
	struct fault why;
	struct bytes body = {.n = 0};
	if (format_parse(span_of(file->p, file->n), &s, &why) != OK)
		bail("no vault: %s", why.message);
	memcpy(body.p, s.nonce.p, s.nonce.n);
	memcpy(body.p + s.nonce.n, s.ciphertext.p, s.ciphertext.n);
	body.n = s.nonce.n + s.ciphertext.n;
	return body;
}

static enum err slot_add(struct bench *b, enum slot_type type, const char *code)
{
	vault_slot_add(b->vault, type, span_str(code), answer(b));
	return settle(b);
}

static enum err slot_remove(struct bench *b, enum slot_type type)
{
	vault_slot_remove(b->vault, type, answer(b));
	return settle(b);
}

static enum err unlock_by(struct bench *b, enum slot_type type, const char *code)
{
	vault_unlock_by(b->vault, type, span_str(code), answer(b));
	return settle(b);
}

/* Their names in order. */
static const char *slots_of(const struct bench *b)
{
	static char text[128];
	const struct vault_slots *s = vault_slots(b->vault);
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < s->n; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "",
			slot_type_name((enum slot_type)s->types[i]));
	return text;
}

static void test_slots(void)
{
	static const enum slot_type types[] = {SLOT_RECOVERY, SLOT_AGENT};
	char code[CODE_TEXT_MAX + 1], other[CODE_TEXT_MAX + 1];
	struct bench b;

	fresh_dir();
	credentials = NULL;
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	const struct bytes first = read_file("vault");
	const struct bytes body = body_of(&first);
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		const char *name = slot_type_name(types[i]);
		code_new(types[i], code);
		code_new(types[i], other);
		is_err(unlock_by(&b, types[i], code), ERR_WRONG_PASSPHRASE, "%s: not yet", name);
		is_err(slot_add(&b, types[i], code), OK, "a slot is added");
		is_str(held(&b), "openai/=sk-1", "the vault stays open");
		vault_lock(b.vault);
		is_err(unlock_by(&b, types[i], other), ERR_WRONG_PASSPHRASE, "another code");
		is_str(held(&b), "locked", "opens nothing");
		is_err(unlock_by(&b, types[i], code), OK, "the right one");
		is_str(held(&b), "openai/=sk-1", "opens it");
		is_err(slot_add(&b, types[i], other), OK, "another takes its place");
		is_err(unlock_by(&b, types[i], code), ERR_WRONG_PASSPHRASE, "the first is out");
		is_err(unlock_by(&b, types[i], other), OK, "and the second in");
	}
	is_str(slots_of(&b), "key-file recovery agent", "all slots are told");
	const struct bytes second = read_file("vault");
	const struct bytes same = body_of(&second);
	is_mem(same.p, same.n, body.p, body.n, "the keys lie sealed as they did");
	ok(!is_same_file("vault", &first), "in another file");
	is_mem(read_file("vault.bak").p, second.n, second.p, second.n,
		"the backup has no more ways in than the vault");
	is_err(slot_remove(&b, SLOT_KEY_FILE), OK, "the key file goes");
	ok(!is_there("vault.key") && !vault_is_unattended(b.vault), "altogether");
	is_str(kept(NULL), "locked", "the next start is locked");
	is_err(slot_remove(&b, SLOT_PASSPHRASE), ERR_INVALID_ARGUMENT, "what is not there");
	ok(strstr(b.why.message, "no slot \"passphrase\"") != NULL, "cannot go");
	is_err(slot_remove(&b, SLOT_RECOVERY), OK, "another goes");
	is_err(slot_remove(&b, SLOT_AGENT), ERR_INVALID_ARGUMENT, "the last one stays");
	is_str(slots_of(&b), "agent", "as it was");
	is_err(slot_add(&b, SLOT_KEY_FILE, NULL), OK, "a key file comes back");
	ok(is_there("vault.key"), "and is made for it");
	is_str(kept(NULL), "openai/=sk-1", "it opens the vault");
	const struct bytes last = read_file("vault");
	const struct bytes still = body_of(&last);
	is_mem(still.p, still.n, body.p, body.n, "and all the while the body stayed");
	vault_lock(b.vault);
	is_err(slot_add(&b, SLOT_KEY_FILE, NULL), ERR_LOCKED, "a locked one gets no slot");
	is_err(slot_remove(&b, SLOT_AGENT), ERR_LOCKED, "and loses none");
	is_str(slots_of(&b), "agent key-file", "but tells them");
	is_err(unlock(&b, NULL), OK, "open");
	is_err(add(&b, "groq", "", "sk-2"), OK, "a key is added");
	is_str(kept(NULL), "openai/=sk-1 groq/=sk-2", "beside the slots");
	close_bench(&b);
}

/* A new folder, and in it an empty one for credentials. */
static void fresh_credentials(void)
{
	static char folder[192];
	fresh_dir();
	snprintf(folder, sizeof folder, "%s", path("credentials"));
	if (mkdir(folder, 0700))
		bail("mkdir");
	credentials = folder;
}

static void test_credential(void)
{
	struct bench b;

	fresh_credentials();
	open_bench(&b, NULL);
	add(&b, "openai", "", "sk-1");
	is_err(slot_add(&b, SLOT_CREDENTIAL, NULL), ERR_LOCKED, "no credential");
	ok(strstr(b.why.message, VAULT_CREDENTIAL) != NULL, "is said by its name");
	write_file("credentials/" VAULT_CREDENTIAL, "a text of any length", 20);
	is_err(slot_add(&b, SLOT_CREDENTIAL, NULL), OK, "one of any length");
	is_err(slot_remove(&b, SLOT_KEY_FILE), OK, "and the key file goes");
	ok(vault_is_unattended(b.vault), "it opens unattended still");
	is_str(kept(NULL), "openai/=sk-1", "at the next start");
	write_file("credentials/" VAULT_CREDENTIAL, "another text", 12);
	is_str(kept(NULL), "damaged", "another credential opens nothing");
	is_err(slot_add(&b, SLOT_CREDENTIAL, NULL), OK, "until it takes the first one's place");
	is_str(kept(NULL), "openai/=sk-1", "and then it does");
	write_file("credentials/" VAULT_CREDENTIAL, "thirty-two bytes are the key now", 32);
	is_err(slot_add(&b, SLOT_CREDENTIAL, NULL), OK, "32 bytes");
	is_str(kept(NULL), "openai/=sk-1", "are a key as they are");
	is_err(set_passphrase(&b, "pass", true), OK, "a passphrase beside it");
	close_bench(&b);
	credentials = NULL;
	is_str(kept(NULL), "locked", "without the credential it waits for somebody");
	is_str(kept("pass"), "openai/=sk-1", "who opens it");
}

static void test_first_credential(void)
{
	struct bench b;
	char named[192];

	fresh_credentials();
	write_file("credentials/" VAULT_CREDENTIAL, "", 0);
	open_bench(&b, NULL);
	is_err(add(&b, "openai", "", "sk-1"), ERR_VAULT_DAMAGED, "an empty credential");
	ok(!is_there("vault") && !is_there("vault.key"), "makes no vault");
	write_file("credentials/" VAULT_CREDENTIAL, "thirty-two bytes are the key now", 32);
	is_err(add(&b, "openai", "", "sk-1"), OK, "a credential");
	is_str(slots_of(&b), "credential", "opens the vault that is made");
	ok(!is_there("vault.key") && vault_is_unattended(b.vault), "and no key file is");
	is_str(kept(NULL), "openai/=sk-1", "at the next start, too");
	close_bench(&b);
	credentials = NULL;
	is_str(kept(NULL), "locked", "without it nothing does");
	open_bench(&b, NULL);
	struct secret *s;
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_LOCKED,
		"which is no damage");
	ok(strstr(b.why.message, "LoadCredentialEncrypted=") && !strstr(b.why.message, "cp -p"),
		"and it is said what would open it");
	is_err(unlock(&b, NULL), ERR_LOCKED, "nobody can open it by himself");
	close_bench(&b);

	fresh_credentials();
	write_file("credentials/" VAULT_CREDENTIAL, "thirty-two bytes are the key now", 32);
	snprintf(named, sizeof named, "%s", path("named.key"));
	write_file("named.key", "thirty-two bytes of a key file's", 32);
	open_bench(&b, named);
	is_err(add(&b, "openai", "", "sk-1"), OK, "a key file that is named");
	is_str(slots_of(&b), "key-file", "goes before it");
	close_bench(&b);
	credentials = NULL;
}

static void test_first_passphrase(void)
{
	struct bench b;

	fresh_dir();
	credentials = NULL;
	open_bench(&b, NULL);
	vault_add_first(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-1"), SPAN(""),
		answer(&b));
	is_err(settle(&b), ERR_INVALID_ARGUMENT, "an empty passphrase is none");
	ok(!is_there("vault"), "and makes no vault");
	vault_add_first(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-1"),
		SPAN("correct horse"), answer(&b));
	is_err(settle(&b), OK, "the first key, and a passphrase");
	is_str(held(&b), "openai/=sk-1", "make a vault");
	ok(vault_has_passphrase(b.vault) && !vault_is_unattended(b.vault), "that it opens");
	ok(!is_there("vault.key"), "and nothing else");
	is_str(slots_of(&b), "passphrase", "at all");
	vault_add_first(b.vault, SPAN("groq"), SPAN(""), SPAN(ORIGIN), SPAN("sk-2"), SPAN("mule"),
		answer(&b));
	is_err(settle(&b), ERR_INVALID_ARGUMENT, "there is one first");
	is_str(kept(NULL), "locked", "the next start is locked");
	is_str(kept("correct horse"), "openai/=sk-1", "and the passphrase opens it");
	close_bench(&b);
	/* another broker was quicker */
	struct bench quick;
	fresh_dir();
	open_bench(&b, NULL);
	open_bench(&quick, NULL);
	is_err(add(&quick, "groq", "", "sk-3"), OK, "another broker makes one");
	close_bench(&quick);
	vault_add_first(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), SPAN("sk-1"), SPAN("mule"),
		answer(&b));
	is_err(settle(&b), ERR_INVALID_ARGUMENT, "which is not taken for ours");
	is_str(kept(NULL), "groq/=sk-3", "and stays");
	close_bench(&b);
}

/* ---- rotation ---- */

static enum err rotate(struct bench *b, const char *label, const char *secret, int64_t overlap_s)
{
	vault_rotate(b->vault, SPAN("openai"), span_str(label), SPAN(ORIGIN), span_str(secret),
		overlap_s, answer(b));
	return settle(b);
}

/* What the replaced key is, or "none". */
static const char *old_key(struct bench *b)
{
	static char text[128];
	struct secret *s = vault_get_old(b->vault, SPAN("openai"), SPAN(""));
	if (!s)
		return "none";
	const struct span bytes = secret_open(s);
	snprintf(text, sizeof text, "%.*s", SPAN_ARG(bytes));
	secret_close(s);
	secret_unref(s);
	return text;
}

/* How often the open body has those bytes. */
static bool is_in_file(const char *secret)
{
	struct vault_files f;
	struct loaded loaded;
	struct fault why;
	vault_files_init(&f, dir, NULL, NULL);
	if (work_load(&f, &(struct opener){.secret = NULL}, &loaded, &why) != OK)
		bail("%s", why.message);
	const struct span body = guarded_read(loaded.opened.body);
	const bool is_there_ = span_find(body, span_str(secret)) < body.n;
	guarded_close(loaded.opened.body);
	opened_done(&loaded.opened);
	vault_files_done(&f);
	return is_there_;
}

static void test_rotation(void)
{
	struct bench b;
	size_t n;

	fresh_dir();
	open_bench(&b, NULL);
	is_err(rotate(&b, "", "sk-1", 100), ERR_NO_KEY,
		"without a vault there is nothing to rotate");
	add(&b, "openai", "", "sk-1");
	is_err(rotate(&b, "work", "sk-2", 100), ERR_NO_KEY, "nor where that label has none");
	is_str(held(&b), "openai/=sk-1", "which changes nothing");
	is_str(old_key(&b), "none", "nothing was replaced yet");
	const int64_t now_s = (int64_t)time(NULL);
	is_err(rotate(&b, "", "sk-2", 100), OK, "a key is rotated");
	is_str(held(&b), "openai/=sk-2", "the new one is given out");
	is_str(old_key(&b), "sk-1", "the old one is there");
	is_err(rotate(&b, "", "sk-2", 100), ERR_INVALID_ARGUMENT, "the same again is no rotation");
	is_str(old_key(&b), "sk-1", "and does not take its place");
	const struct vault_key *k = vault_list(b.vault, &n);
	is_uint(n, 1, "they are one key");
	ok(k->old_until_s >= now_s + 100 && k->old_until_s <= now_s + 130, "for so long");
	ok(strlen(k->old_fingerprint) == 8 && strcmp(k->old_fingerprint, k->fingerprint) != 0,
		"told apart");
	close_bench(&b);
	open_bench(&b, NULL);
	is_str(old_key(&b), "sk-1", "also by the next broker");
	is_err(rotate(&b, "", "sk-3", 100), OK, "rotated again");
	is_str(old_key(&b), "sk-2", "the last one stays");
	ok(!is_in_file("sk-1"), "and the first is gone");
	vault_rotate(b.vault, SPAN("openai"), SPAN(""), SPAN("https://other:443"), SPAN("sk-4"),
		100, answer(&b));
	is_err(settle(&b), OK, "a key for another place");
	is_str(old_key(&b), "none", "is not helped out by one that may not go there");
	is_err(rotate(&b, "", "sk-5", 0), OK, "nor without an overlap");
	is_str(old_key(&b), "none", "by any");

	is_err(rotate(&b, "", "sk-6", 100), OK, "for a while");
	is_str(old_key(&b), "sk-5", "the one before stays");
	is_err(rotate(&b, "", "sk-7", 5), OK, "for five seconds");
	is_str(old_key(&b), "sk-6", "it is there");
	const int64_t until_s = vault_list(b.vault, &n)[0].old_until_s;
	is_int(vault_expire(b.vault, until_s - 1), until_s, "its end is known");
	while ((int64_t)time(NULL) <= until_s)
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	is_str(old_key(&b), "none", "and then it is not given out");
	ok(is_in_file("sk-6"), "though it is in the file");
	is_int(vault_expire(b.vault, (int64_t)time(NULL)), 0, "it is forgotten");
	is_int(vault_list(b.vault, &n)[0].old_until_s, 0, "and not told any more");
	is_str(held(&b), "openai/=sk-7", "the key itself stays");
	is_err(add(&b, "groq", "", "sk-8"), OK, "the next write");
	ok(!is_in_file("sk-6"), "takes it out of the file");
	const struct bytes bak = read_file("vault.bak");
	is_mem(bak.p, bak.n, read_file("vault").p, read_file("vault").n, "and of the backup");
	is_str(kept(NULL), "openai/=sk-7 groq/=sk-8", "all others stay");
	close_bench(&b);
}

/* Memory of a replaced key ends with its time. */
static void test_rotated_memory(void)
{
	struct bench b;
	int in_open, in_closed;
	char canary[CANARY];

	fresh_dir();
	open_bench(&b, NULL);
	say_canary(canary);
	vault_add(b.vault, SPAN("openai"), SPAN(""), SPAN(ORIGIN), span_of(canary, CANARY), true,
		answer(&b));
	sodium_memzero(canary, sizeof canary);
	is_err(settle(&b), OK, "a canary");
	is_err(rotate(&b, "", "sk-1", 100), OK, "is rotated away");
	secret_unref(vault_get_old(b.vault, SPAN("openai"), SPAN("")));
	count_canaries(&in_open, &in_closed);
	is_int(in_open, 0, "it lies open nowhere");
	ok(in_closed > 0, "but closed");
	is_int(vault_expire(b.vault, (int64_t)time(NULL) + 101), 0, "its time is over");
	count_canaries(&in_open, &in_closed);
	is_int(in_open + in_closed, 0, "and it is nowhere");
	close_bench(&b);
}

/* A key whose time is over is never given out. */
static void test_not_after(void)
{
	struct vault_header h = {.generation = 4, .id = "an id of 16 byte"};
	static const unsigned char data_key[] = "a data key of thirty-two bytes..";
	static const unsigned char file_key[] = "a key file of thirty-two bytes..";
	static const char *const labels[] = {"", "a", "b"};
	unsigned char key[FORMAT_KEY_BYTES], body[1024];
	struct slot slot = format_slot_new(SLOT_KEY_FILE, cheap);
	OWNED(buf_done) struct buf file = BUF_INIT(LIMIT_VAULT_BYTES);
	struct writer w = {.p = body, .max = sizeof body};
	struct bench b;
	struct secret *s;

	fresh_dir();
	format_key_of_bytes(&slot, file_key, key);
	format_slot_seal(&h, &slot, key, data_key);
	ok(format_slot_put(&h, &slot), "a slot");
	body_empty(&w);
	for (size_t i = 0; i < 3; i++) {
		const char id[BODY_ID_BYTES] = {(char)('1' + i)};
		const size_t n = strlen(labels[i]);
		write_number(&w, 1, 2);
		write_number(&w, 6 * 6 + 16 + 6 + n + sizeof ORIGIN - 1 + 4 + 8, 4);
		write_number(&w, 1, 2), write_number(&w, 16, 4), write_bytes(&w, id, 16);
		write_number(&w, 2, 2), write_number(&w, 6, 4), write_bytes(&w, "openai", 6);
		write_number(&w, 3, 2), write_number(&w, n, 4), write_bytes(&w, labels[i], n);
		write_number(&w, 4, 2), write_number(&w, sizeof ORIGIN - 1, 4);
		write_bytes(&w, ORIGIN, sizeof ORIGIN - 1);
		write_number(&w, 5, 2), write_number(&w, 4, 4), write_bytes(&w, "sk-", 3);
		write_bytes(&w, id, 1);
		/* the first two ended long ago */
		write_number(&w, 8, 2), write_number(&w, 8, 4);
		write_number(&w, i < 2 ? 1000 : INT64_C(1) << 40, 8);
	}
	is_err(format_seal(&h, data_key, span_of((const char *)body, w.n), &file), OK, "sealed");
	write_file("vault", file.p, file.n);
	write_file("vault.key", file_key, FORMAT_KEY_BYTES);
	open_bench(&b, NULL);
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), OK, "one is good");
	const struct span bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, "sk-3", 4, "the last");
	secret_close(s);
	secret_unref(s);
	is_err(vault_get(b.vault, SPAN("openai"), SPAN(""), &s, &b.why), ERR_NO_KEY,
		"the default is not");
	ok(strstr(b.why.message, "expired") != NULL, "which is said");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN("a"), &s, &b.why), ERR_NO_KEY,
		"nor another");
	ok(vault_has(b.vault, SPAN("openai")), "there is a key");
	is_err(take_out(&b, "openai", "b"), OK, "without it");
	ok(!vault_has(b.vault, SPAN("openai")), "there is none");
	is_err(vault_get(b.vault, SPAN("openai"), SPAN_NONE, &s, &b.why), ERR_NO_KEY, "to be got");
	close_bench(&b);
}

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium does not start");
	log_init(LOG_LEVEL_ERROR, -1);
	umask(022);
	test_life();
	test_admin_label();
	test_lock();
	test_passphrase();
	test_refused();
	test_full();
	test_changed_bytes();
	test_unusable();
	test_advice();
	test_failing_steps();
	test_dying();
	test_unwritable();
	test_missing_folder();
	test_full_disk();
	test_two_brokers();
	test_key_file_elsewhere();
	test_memory();
	test_newer_parts();
	test_older_file();
	test_slots();
	test_credential();
	test_first_credential();
	test_first_passphrase();
	test_rotation();
	test_rotated_memory();
	test_not_after();
	remove_dir();
	return tap_done();
}
