/* test_audit.c - is what was recorded there, in order, and is it seen when it is not? */
#include "brokerd/audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "brokerd/audit/line.h"
#include "brokerd/audit/list.h"
#include "brokerd/audit/verify.h"
#include "brokerd/log/log.h"
#include "protocol/base/json.h"
#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/whole_file.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define BYTES  ((size_t)16 * 1024 * 1024)

static struct loop *loop;
static struct workers *workers;
static char dir[] = "/tmp/test_audit.XXXXXX";
static const unsigned char root[AUDIT_ROOT_BYTES] = "the key of a vault for its audit";
static const unsigned char other[AUDIT_ROOT_BYTES] = "the key of another vault, for it";
static const struct audit_limits small = {.file_bytes = 2000, .files = 3};

static const struct peer_id somebody = {.uid = 1000,
	.pid = 4321,
	.kind = PEER_KIND_HOST,
	.confidence = PEER_PROC,
	.name = "notes",
	.program = "notes",
	.app = "Notes"};

/* ---- a log and its files ---- */

static const char *in_dir(const char *name)
{
	static char paths[4][64];
	static unsigned next;
	char *p = paths[next++ % 4];
	(void)snprintf(p, sizeof paths[0], "%s/%s", dir, name);
	return p;
}

static void settle(void)
{
	while (workers_pending(workers) > 0)
		loop_virtual_settle(loop);
	loop_virtual_settle(loop);
}

static struct audit *begin_with(struct audit_limits limits)
{
	struct audit *a = audit_open(workers, loop, dir, limits);
	if (!a)
		bail("no memory");
	return a;
}

static struct audit *begin(void)
{
	return begin_with(AUDIT_LIMITS);
}

static void say_by(
	struct audit *a, const struct peer_id *who, const char *what, const char *subject)
{
	const struct audit_event e = {.what = what, .who = who, .subject = span_str(subject)};
	audit_record(a, &e);
}

static void say(struct audit *a, const char *what, const char *subject)
{
	say_by(a, &somebody, what, subject);
}

static void deny(struct audit *a, const struct peer_id *who, const char *subject)
{
	const struct audit_event e = {.what = "denied.call",
		.who = who,
		.verdict = AUDIT_DENIED,
		.err = ERR_DENIED,
		.subject = span_str(subject)};
	audit_record(a, &e);
}

static void clear(void)
{
	char command[96];
	(void)snprintf(command, sizeof command, "rm -rf %s/*", dir);
	if (system(command) != 0)
		bail("cannot clear");
}

static void load(const char *name, struct buf *out)
{
	buf_init(out, BYTES);
	if (!whole_file(in_dir(name), out))
		bail("cannot read %s", name);
}

static void save(const char *name, struct span bytes)
{
	const int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, bytes.p, bytes.n) != (ssize_t)bytes.n || close(fd))
		bail("cannot write %s", name);
}

static size_t count_of(struct span text, const char *needle)
{
	size_t n = 0;
	for (;;) {
		const size_t at = span_find(text, span_str(needle));
		if (at == text.n)
			return n;
		text = span_skip(text, at + 1);
		n++;
	}
}

/* How often it stands in the current file. */
static size_t in_file(const char *needle)
{
	OWNED(buf_done) struct buf file;
	load("audit.log", &file);
	return count_of(buf_view(&file), needle);
}

static struct audit_verify verify_with(const unsigned char *key, const char *sought)
{
	struct audit_verify v = {.state_dir = dir, .limits = AUDIT_LIMITS};
	if (key && audit_verify_key(&v, key) != OK)
		bail("no memory");
	v.has_sought = sought != NULL;
	if (sought && !line_hex(span_str(sought), v.sought, sizeof v.sought))
		bail("no hash");
	audit_verify(&v);
	return v;
}

static struct audit_verify verify(void)
{
	return verify_with(root, NULL);
}

static void is_whole(uint64_t records, const char *name)
{
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "%s: %s:%zu", name, v.file, v.line);
	is_uint(v.check.records, records, "%s: so many records", name);
}

static void is_flawed(const char *flaw, const char *file, size_t line, const char *name)
{
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), flaw, "%s: what", name);
	is_str(v.file, file, "%s: in which file", name);
	is_uint(v.line, line, "%s: where", name);
}

/* A log of one keyed epoch: the epoch's record, three of ours, and the last. */
static void make_small(void)
{
	clear();
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "key.add", "openai");
	say(a, "key.add", "anthropic/work");
	say(a, "key.remove", "openai");
	settle();
	audit_close(a);
}

/* ---- what is written ---- */

static void test_record(void)
{
	clear();
	struct audit *a = begin();
	struct stat st;
	ok(access(in_dir("audit.log"), F_OK) != 0, "there is no file before a record");
	const struct audit_event e = {.what = "key.add",
		.who = &somebody,
		.verdict = AUDIT_FAILED,
		.err = ERR_LOCKED,
		.subject = SPAN("open\"ai\n"),
		.detail = SPAN("\xff says so")};
	audit_record(a, &e);
	audit_record(NULL, &e);
	settle();
	is_int(stat(in_dir("audit.log"), &st), 0, "there is one after it");
	is_int(st.st_mode & 0777, 0600, "of its owner's alone");
	is_uint(in_file(",\"what\":\"key.add\",\"verdict\":\"failed\","
			"\"class\":\"locked\",\"subject\":\"open\\\"ai \",\"detail\":\"? says so\","
			"\"who\":{\"uid\":1000,\"pid\":4321,\"kind\":\"host\",\"name\":\"notes\","
			"\"confidence\":\"proc\",\"socket\":\"main\",\"program\":\"notes\","
			"\"app\":\"Notes\"},\"hash\":\""),
		1, "it says all there is to say");
	audit_close(a);
	is_whole(3, "an epoch, a record, the end");
	is_uint(verify().check.keyed, 0, "none has a MAC");
	a = begin();
	audit_close(a);
	is_whole(3, "a log that nothing was recorded in stays as it was");
}

static void test_order(void)
{
	char subject[16];
	clear();
	struct audit *a = begin();
	audit_key(a, root);
	for (int i = 0; i < 500; i++) {
		(void)snprintf(subject, sizeof subject, "n%03d", i);
		say_by(a, NULL, "key.add", subject);
		if (i % 7 == 0)
			settle();
	}
	audit_close(a);
	is_whole(502, "five hundred");
	OWNED(buf_done) struct buf file;
	load("audit.log", &file);
	size_t before = 0, bad = 0;
	for (int i = 0; i < 500; i++) {
		(void)snprintf(subject, sizeof subject, "\"n%03d\"", i);
		const size_t at = span_find(buf_view(&file), span_str(subject));
		bad += at <= before || at == file.n;
		before = at;
	}
	is_uint(bad, 0, "in the order in which they came");
}

/* ---- what is seen ---- */

static size_t line_at(struct span text, size_t at)
{
	return 1 + count_of(span_first(text, at), "\n");
}

static void test_every_byte(void)
{
	OWNED(buf_done) struct buf file;
	size_t unseen = 0, misplaced = 0, unseen_locked = 0;
	make_small();
	is_whole(5, "as it was written");
	load("audit.log", &file);
	for (size_t i = 0; i < file.n; i++) {
		for (unsigned bit = 1; bit < 0x100; bit <<= 3) {
			file.p[i] = (char)((unsigned char)file.p[i] ^ bit);
			save("audit.log", buf_view(&file));
			file.p[i] = (char)((unsigned char)file.p[i] ^ bit);
			const struct audit_verify v = verify();
			unseen += v.flaw == CHECK_WHOLE;
			misplaced += v.line != line_at(buf_view(&file), i);
			unseen_locked += verify_with(NULL, NULL).flaw == CHECK_WHOLE;
		}
	}
	is_uint(unseen, 0, "a change of any byte is seen");
	is_uint(misplaced, 0, "and its line named");
	is_uint(unseen_locked > 0 && unseen_locked <= (size_t)5 * 64 * 3, 1,
		"without the key all are but those of MACs: %zu", unseen_locked);
	save("audit.log", buf_view(&file));
	is_whole(5, "as it was again");
}

/* The lines of the file that is loaded. */
struct lines {
	struct buf file;
	struct span at[64];
	size_t n;
};

static void take_lines(struct lines *l)
{
	load("audit.log", &l->file);
	struct span rest = buf_view(&l->file);
	for (l->n = 0; rest.n > 0; l->n++) {
		const size_t n = span_index(rest, '\n') + 1;
		if (l->n == COUNT_OF(l->at))
			bail("many lines");
		l->at[l->n] = span_first(rest, n);
		rest = span_skip(rest, n);
	}
}

static void save_lines(const struct lines *l, const size_t *order, size_t n)
{
	OWNED(buf_done) struct buf out = BUF_INIT(BYTES);
	for (size_t i = 0; i < n; i++)
		buf_span(&out, l->at[order[i]]);
	save("audit.log", buf_view(&out));
}

static const struct {
	const char *name, *flaw;
	size_t line, n, order[6];
} arrangements[] = {
	{"one is gone",         "missing",   3, 4, {0, 1, 3, 4}      },
	{"the first is gone",   "changed",   1, 4, {1, 2, 3, 4}      },
	{"two changed places",  "reordered", 3, 5, {0, 1, 3, 2, 4}   },
	{"one is there twice",  "reordered", 4, 6, {0, 1, 2, 2, 3, 4}},
	{"an older one's back", "reordered", 5, 6, {0, 1, 2, 3, 1, 4}},
};

static void test_lines(void)
{
	struct lines l;
	make_small();
	take_lines(&l);
	for (size_t i = 0; i < COUNT_OF(arrangements); i++) {
		save_lines(&l, arrangements[i].order, arrangements[i].n);
		is_flawed(arrangements[i].flaw, "audit.log", arrangements[i].line,
			arrangements[i].name);
	}
	buf_done(&l.file);
}

static void hash_of_line(struct span line, char hex[65])
{
	struct line parsed;
	if (!line_parse(span_first(line, line.n - 1), &parsed))
		bail("no line");
	sodium_bin2hex(hex, 65, parsed.hash, sizeof parsed.hash);
}

/* The end of a chain can go unseen, unless its head was seen before. */
static void test_cut_end(void)
{
	struct lines l;
	char head[65], former[65];
	make_small();
	take_lines(&l);
	hash_of_line(l.at[4], head);
	hash_of_line(l.at[2], former);
	is_uint(verify_with(root, head).check.sought_seq, 5, "the head is in the chain");
	save_lines(&l, (const size_t[]){0, 1, 2}, 3);
	is_whole(3, "without its end it is whole");
	is_uint(verify_with(root, head).check.sought_seq, 0, "but the head is not there");
	is_uint(verify_with(root, former).check.sought_seq, 3, "an earlier one is");
	buf_done(&l.file);
}

/* Whoever can write to the file, and knows all of this but the key, makes a chain that fits. */
static void test_forged(void)
{
	struct lines l;
	struct chain c = {.seq = 0};
	OWNED(buf_done) struct buf out = BUF_INIT(BYTES);
	make_small();
	take_lines(&l);
	struct line parsed;
	for (size_t i = 0; i < l.n; i++) {
		if (!line_parse(span_first(l.at[i], l.at[i].n - 1), &parsed))
			bail("no line");
		OWNED(buf_done) struct buf members = BUF_INIT(BYTES);
		buf_span(&members, span_skip(parsed.text, strlen("{\"seq\":1,")));
		if (i == 2)
			memcpy(memmem(members.p, members.n, "work", 4), "home", 4);
		c.epoch.is_keyed = true; /* under a key that it makes up */
		if (i < 2) {
			buf_span(&out, l.at[i]);
			memcpy(c.head, parsed.hash, sizeof c.head);
			c.seq = i + 1;
		} else {
			line_seal(&c, buf_view(&members), &out);
		}
	}
	save("audit.log", buf_view(&out));
	is_flawed("mac", "audit.log", 3, "a chain made anew");
	is_str(check_flaw_name(verify_with(NULL, NULL).flaw), "whole",
		"while the vault is locked it cannot be told");
	is_uint(verify_with(NULL, NULL).check.unchecked, 5, "but that is said");
	buf_done(&l.file);
}

static void test_ratchet(void)
{
	struct epoch e, again;
	unsigned char id[EPOCH_ID_BYTES] = "sixteen bytes...";
	unsigned char keys[4][CHAIN_KEY_BYTES], hash[CHAIN_KEY_BYTES];
	epoch_keyed(&e, root, id);
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		memcpy(keys[i], e.key, sizeof keys[i]);
		epoch_turn(&e);
	}
	for (size_t i = 1; i < COUNT_OF(keys); i++) {
		crypto_generichash(hash, sizeof hash, keys[i - 1], sizeof keys[0], NULL, 0);
		is_mem(keys[i], sizeof hash, hash, sizeof hash, "a key is the one before, hashed");
	}
	is_uint(e.step, 4, "four records");
	id[0] = 'S';
	epoch_keyed(&again, root, id);
	ok(memcmp(again.key, keys[0], sizeof hash) != 0, "another epoch, another key");
	ok(memcmp(again.mark, e.mark, sizeof e.mark) == 0, "but the vault's mark");
	epoch_keyed(&again, other, id);
	ok(memcmp(again.mark, e.mark, sizeof e.mark) != 0, "another vault, another mark");
}

/* One that another program made, by what the manual says. */
static void test_vector(void)
{
	OWNED(buf_done) struct buf file = BUF_INIT(BYTES);
	clear();
	if (!whole_file("tests/fuzz/corpus/audit/whole", &file))
		bail("there is no vector");
	save("audit.log", buf_view(&file));
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "another program's log: line %zu", v.line);
	is_uint(v.check.records, 7, "of seven records");
	is_uint(v.check.keyed, 4, "four with MACs");
	is_uint(v.check.unchecked, 0, "which fit");
}

/* ---- epochs ---- */

static void test_epochs(void)
{
	clear();
	struct audit *a = begin();
	ok(!audit_is_keyed(a), "without a vault");
	say(a, "broker.start", "");
	settle();
	audit_key(a, root);
	ok(audit_is_keyed(a), "it is unlocked");
	say(a, "key.add", "one");
	settle();
	say(a, "vault.lock", "");
	audit_no_key(a);
	say(a, "key.add", "two");
	settle();
	audit_close(a);
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "locked, unlocked and locked again: line %zu",
		v.line);
	is_uint(v.check.epochs, 3, "three epochs");
	is_uint(v.check.broken_off, 0, "each was closed");
	is_uint(v.check.keyed, 4, "one's records have MACs: how it began, two, and how it ended");
	is_uint(in_file("audit.close"), 3, "so many ends");
	const struct audit_verify locked = verify_with(NULL, NULL);
	is_uint(locked.check.unchecked, 4, "which cannot be checked while it is locked");
	ok(!locked.check.has_foreign, "and are nobody else's");
	const struct audit_verify foreign = verify_with(other, NULL);
	is_uint(foreign.check.unchecked, 4, "nor by another vault");
	ok(foreign.check.has_foreign, "which is said");

	a = begin();
	audit_key(a, root);
	say(a, "broker.start", "");
	settle();
	is_uint(verify().check.epochs, 4, "another start, another epoch");
	is_str(check_flaw_name(verify().flaw), "whole", "of the same chain");
	audit_close(a);
}

/* What was recorded without a key cannot be changed any more once there is one. */
static void test_unkeyed_is_covered(void)
{
	struct lines l;
	struct line parsed;
	struct chain c = {.seq = 0};
	OWNED(buf_done) struct buf out = BUF_INIT(BYTES);
	clear();
	struct audit *a = begin();
	say(a, "key.add", "openai");
	settle();
	audit_key(a, root);
	settle();
	audit_close(a);
	take_lines(&l);
	for (size_t i = 0; i < 3; i++) {
		if (!line_parse(span_first(l.at[i], l.at[i].n - 1), &parsed))
			bail("no line");
		OWNED(buf_done) struct buf members = BUF_INIT(BYTES);
		buf_span(&members, span_skip(parsed.text, strlen("{\"seq\":1,")));
		if (i == 1)
			memcpy(memmem(members.p, members.n, "openai", 6), "google", 6);
		line_seal(&c, buf_view(&members), &out);
	}
	for (size_t i = 3; i < l.n; i++)
		buf_span(&out, l.at[i]);
	save("audit.log", buf_view(&out));
	is_flawed("changed", "audit.log", 4, "the first keyed record does not fit");
	buf_done(&l.file);
}

/* ---- crashes ---- */

/* Wherever the last write broke off, the log goes on, and says so. */
static void test_torn(void)
{
	OWNED(buf_done) struct buf file;
	size_t bad = 0, silent = 0;
	make_small();
	load("audit.log", &file);
	/* every byte of the last two records, and here and there before them */
	for (size_t n = 0; n <= file.n; n += n + 500 < file.n ? 37 : 1) {
		const bool is_torn = n > 0 && file.p[n - 1] != '\n';
		clear();
		save("audit.log", span_first(buf_view(&file), n));
		struct audit *a = begin();
		audit_key(a, root);
		say(a, "broker.start", "");
		settle();
		audit_close(a);
		bad += verify().flaw != CHECK_WHOLE;
		silent += in_file("audit.torn") != is_torn;
	}
	is_uint(bad, 0, "cut at every byte, and written on");
	is_uint(silent, 0, "it is said where, and only where, a record was torn");
	ok(in_file("audit.torn") == 0, "a whole one is not");
}

static void test_broken_off(void)
{
	struct lines l;
	make_small();
	take_lines(&l);
	save_lines(&l, (const size_t[]){0, 1, 2, 3}, 4);
	struct audit *a = begin();
	say(a, "broker.start", "");
	settle();
	audit_close(a);
	is_whole(7, "after a crash");
	is_uint(verify().check.broken_off, 1, "an epoch has no end");
	buf_done(&l.file);
}

/* What was changed is kept, and named until it is moved away. */
static void test_damaged(void)
{
	OWNED(buf_done) struct buf file;
	make_small();
	load("audit.log", &file);
	memcpy(memmem(file.p, file.n, "work", 4), "home", 4);
	save("audit.log", buf_view(&file));
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "broker.start", "");
	settle();
	audit_close(a);
	is_flawed("changed", "audit.log.1", 3, "a record of a former broker's");
	is_uint(in_file("audit.log.1:3 is not what was written"), 1, "the log itself says so");
	OWNED(buf_done) struct buf kept;
	load("audit.log.1", &kept);
	is_mem(kept.p, kept.n, file.p, file.n, "nothing of it was touched");
}

static void test_changed_meanwhile(void)
{
	clear();
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "key.add", "one");
	settle();
	const int fd = open(in_dir("audit.log"), O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, "{\"seq\":3", 8) != 8 || close(fd))
		bail("cannot write");
	say(a, "key.add", "two");
	settle();
	audit_close(a);
	is_flawed("changed", "audit.log", 3, "half a line of another program's");
	is_uint(in_file("\"what\":\"audit.changed\""), 1, "the log itself says so");
}

static void test_removed_meanwhile(void)
{
	clear();
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "key.add", "one");
	settle();
	unlink(in_dir("audit.log"));
	say(a, "key.add", "two");
	settle();
	is_flawed("missing", "audit.log", 1, "the file was taken away");
	is_uint(in_file("\"what\":\"audit.changed\""), 1, "the log itself says so, too");
	audit_close(a);
}

/* ---- files ---- */

static void fill(struct audit *a, int n)
{
	for (int i = 0; i < n; i++) {
		say(a, "key.add", "some-provider/label");
		settle();
	}
}

static void test_rotation(void)
{
	OWNED(buf_done) struct buf file;
	clear();
	struct audit *a = begin_with(small);
	audit_key(a, root);
	fill(a, 12);
	is_int(access(in_dir("audit.log.2"), F_OK), 0, "a second file was filled");
	struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "over three files: %s:%zu", v.file, v.line);
	is_uint(v.check.first_seq, 1, "from the first record on");
	load("audit.log.1", &file);
	unlink(in_dir("audit.log.1"));
	is_flawed("missing", "audit.log.1", 0, "the oldest is gone");
	save("audit.log.1", buf_view(&file));
	if (rename(in_dir("audit.log.2"), in_dir("away")))
		bail("cannot rename");
	is_flawed("missing", "audit.log", 1, "one in the middle is gone");
	if (rename(in_dir("away"), in_dir("audit.log.2")))
		bail("cannot rename");
	fill(a, 60);
	audit_close(a);
	ok(access(in_dir("audit.log.1"), F_OK) != 0, "the oldest was thrown away");
	struct audit_verify kept = {.state_dir = dir, .limits = small};
	if (audit_verify_key(&kept, root) != OK)
		bail("no memory");
	audit_verify(&kept);
	is_str(check_flaw_name(kept.flaw), "whole", "what is left: %s:%zu", kept.file, kept.line);
	ok(kept.check.first_seq > 1, "begins with record %" PRIu64, kept.check.first_seq);
	is_uint(kept.check.unchecked, 0, "and its MACs fit, in the middle of an epoch");
	is_uint(kept.n_files, 4, "so many files");
	a = begin_with(small);
	audit_key(a, root);
	fill(a, 3);
	audit_close(a);
	audit_verify(&kept);
	is_str(check_flaw_name(kept.flaw), "whole", "another start goes on");
}

static void test_two_brokers(void)
{
	clear();
	struct audit *a = begin(), *b = begin();
	say(a, "broker.start", "first");
	settle();
	say(b, "broker.start", "second");
	settle();
	is_err(audit_fault(a)->err, OK, "the first writes");
	is_err(audit_fault(b)->err, ERR_IO, "the second does not: %s", audit_fault(b)->message);
	is_uint(in_file("second"), 0, "nothing of it is there");
	audit_close(a);
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_uint(in_file("second"), 1, "until the first is gone");
	audit_close(b);
	is_whole(6, "one chain");
}

static void test_no_file(void)
{
	clear();
	struct audit *a = begin();
	if (symlink("elsewhere", in_dir("audit.log")))
		bail("no link");
	say(a, "key.add", "one");
	settle();
	is_err(audit_fault(a)->err, ERR_IO, "a symbolic link is not followed: %s",
		audit_fault(a)->message);
	ok(access(in_dir("elsewhere"), F_OK) != 0, "there is nothing at its end");
	unlink(in_dir("audit.log"));
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_err(audit_fault(a)->err, OK, "once it is gone");
	is_uint(in_file("\"one\""), 1, "what waited is written");
	audit_close(a);
}

/* ---- a disk that is lost ---- */

static bool is_held(void)
{
	char name[32], path[300];
	bool is_one = false;
	for (int fd = 0; fd < 64; fd++) {
		snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
		const ssize_t n = readlink(name, path, sizeof path - 1);
		is_one = is_one || (n > 0 && (size_t)n >= sizeof dir - 1 &&
					   memcmp(path, dir, sizeof dir - 1) == 0);
	}
	return is_one;
}

static struct audit *begin_and_let_go(void)
{
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "key.add", "one");
	settle();
	ok(is_held(), "the log is locked");
	audit_let_go(a);
	audit_let_go(a);
	settle();
	ok(!is_held(), "it is let go");
	return a;
}

static void test_let_go(void)
{
	clear();
	struct audit *a = begin_and_let_go();
	say(a, "key.add", "two");
	settle();
	ok(is_held(), "the next record looks for it anew");
	audit_close(a);
	is_whole(4, "and it goes on where it was");
	is_uint(in_file("audit.changed"), 0, "as if nothing had been");
}

static void test_another_disk(void)
{
	clear();
	struct audit *a = begin_and_let_go();
	clear();
	say(a, "key.add", "two");
	settle();
	is_flawed("missing", "audit.log", 1, "what an empty disk does not have");
	is_uint(in_file("\"what\":\"audit.changed\""), 1, "the log says so");
	is_uint(in_file("\"two\""), 1, "and goes on");
	audit_close(a);
}

static void test_another_log(void)
{
	OWNED(buf_done) struct buf theirs, kept;
	make_small();
	load("audit.log", &theirs);
	clear();
	struct audit *a = begin_and_let_go();
	save("audit.log", buf_view(&theirs));
	say(a, "key.add", "two");
	settle();
	load("audit.log.1", &kept);
	is_mem(kept.p, kept.n, theirs.p, theirs.n, "another log that is there is kept");
	is_uint(in_file("another log was there, and is audit.log.1"), 1, "which is said");
	is_uint(in_file("\"two\""), 1, "and ours goes on");
	audit_close(a);
}

static void test_retry(void)
{
	clear();
	struct audit *a = begin_and_let_go();
	OWNED(buf_done) struct buf ours;
	load("audit.log", &ours);
	unlink(in_dir("audit.log"));
	if (mkdir(in_dir("audit.log"), 0700))
		bail("no folder");
	say(a, "key.add", "two");
	for (int i = 0; i < 10; i++) {
		settle();
		loop_virtual_advance(loop, SECOND);
	}
	settle();
	is_err(audit_fault(a)->err, ERR_IO, "it cannot be written: %s", audit_fault(a)->message);
	ok(!is_held(), "and is not held meanwhile");
	rmdir(in_dir("audit.log"));
	save("audit.log", buf_view(&ours));
	audit_retry(a);
	settle();
	is_err(audit_fault(a)->err, OK, "who is told that it is better does not wait");
	audit_close(a);
	is_whole(4, "whole");
}

/* ---- too much ---- */

static void test_disk_full(void)
{
	struct rlimit before, full;
	clear();
	struct audit *a = begin();
	audit_key(a, root);
	say(a, "key.add", "one");
	settle();
	OWNED(buf_done) struct buf file;
	load("audit.log", &file);
	if (getrlimit(RLIMIT_FSIZE, &before))
		bail("no limit");
	full = before;
	full.rlim_cur = file.n + 100;
	setrlimit(RLIMIT_FSIZE, &full);
	for (int i = 0; i < 20; i++) {
		say(a, "key.add", "two");
		settle();
		loop_virtual_advance(loop, SECOND);
		settle();
	}
	is_err(audit_fault(a)->err, ERR_STORAGE_FULL, "%s", audit_fault(a)->message);
	struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "nothing half is left of the tries");
	is_uint(v.check.records, 2, "nor anything whole");
	setrlimit(RLIMIT_FSIZE, &before);
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_err(audit_fault(a)->err, OK, "there is room again");
	is_uint(in_file("\"two\""), 20, "all are there");
	audit_close(a);
	is_whole(23, "and whole");
}

static void test_queue_full(void)
{
	uint64_t n = 0;
	clear();
	struct audit *a = begin();
	while (audit_lost(a) < 100 && n < 100000) {
		say_by(a, NULL, "key.add", "some-provider/label");
		n++;
	}
	is_uint(audit_lost(a), 100, "a queue is full after %" PRIu64 " records", n - 100);
	settle();
	audit_close(a);
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "what there was room for");
	is_uint(v.check.records, n - 100 + 3, "an epoch, those, the loss, the end");
	is_uint(in_file("\"what\":\"audit.lost\",\"verdict\":\"failed\",\"class\":\"overloaded\","
			"\"count\":100,"),
		1, "so many were lost");
}

static void test_folds(void)
{
	clear();
	struct audit *a = begin();
	for (int i = 0; i < 1000; i++)
		deny(a, &somebody, "key.add");
	deny(a, &somebody, "key.remove");
	settle();
	is_uint(in_file("denied.call"), 2, "of a thousand like denials one, and the other");
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_uint(in_file("denied.call"), 3, "a minute later");
	is_uint(in_file("\"count\":999,"), 1, "the others are counted");
	deny(a, &somebody, "key.remove");
	settle();
	is_uint(in_file("key.remove"), 2, "one that had been quiet is said at once");
	deny(a, &somebody, "key.add");
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_uint(in_file("key.add"), 2, "one that had not waits longer");
	loop_virtual_advance(loop, MINUTE);
	settle();
	is_uint(in_file("\"count\":1,"), 1, "twice as long");
	deny(a, &somebody, "key.add");
	audit_close(a);
	is_uint(in_file("\"count\":1,"), 2, "and nothing is left out at the end");
}

/* Who may lock the vault cannot do so until nothing older is left. */
static void test_allowed_flood(void)
{
	clear();
	struct audit *a = begin();
	say(a, "key.add", "openai");
	for (int i = 0; i < 100000; i++) {
		say(a, "vault.lock", "");
		if (i % 1000 == 0)
			loop_virtual_advance(loop, SECOND);
	}
	audit_close(a);
	OWNED(buf_done) struct buf file;
	load("audit.log", &file);
	const size_t n = count_of(buf_view(&file), "vault.lock");
	ok(n > 256 && n < 300, "of a hundred thousand in two minutes %zu records", n);
	is_uint(count_of(buf_view(&file), "openai"), 1, "what was before is still there");
}

/* Whoever asks for another thing each time, under another name, for a day. */
static void test_flood(void)
{
	struct peer_id p = somebody;
	char subject[64];
	size_t n = 0;
	clear();
	struct audit *a = begin();
	for (int minute = 0; minute < 24 * 60; minute++) {
		for (int i = 0; i < 20; i++, n++) {
			(void)snprintf(subject, sizeof subject, "model-%zu", n);
			(void)snprintf(p.name, sizeof p.name, "org.example.n%zu", n);
			p.uid = n % 3 == 0 ? (uid_t)(100000 + n) : 1000;
			deny(a, &p, subject);
		}
		if (minute % 30 == 0)
			settle();
		loop_virtual_advance(loop, MINUTE);
	}
	audit_close(a);
	OWNED(buf_done) struct buf file;
	load("audit.log", &file);
	diag("%zu denials in a day: %zu records, %zu bytes", n, count_of(buf_view(&file), "\n"),
		file.n);
	ok(file.n < 4 * 1024 * 1024, "less than half of a file");
	const struct audit_verify v = verify();
	is_str(check_flaw_name(v.flaw), "whole", "and whole");
	/* each is in the log by itself or counted */
	size_t told = 0;
	struct span rest = buf_view(&file);
	while (rest.n > 0) {
		const struct span line = span_cut(&rest, '\n');
		const struct span count = SPAN("\"count\":");
		const size_t at = span_find(line, count);
		if (at < line.n)
			told += strtoul(line.p + at + count.n, NULL, 10);
		else
			told += span_find(line, SPAN("denied.call")) < line.n;
	}
	is_uint(told, n, "every one is told, or counted");
}

/* ---- others ---- */

static void test_head(void)
{
	const char *name = in_dir("stderr");
	char head[65], wanted[128];
	struct lines l;
	clear();
	const int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	log_init(LOG_LEVEL_INFO, fd);
	struct audit *a = begin();
	say(a, "key.add", "one");
	settle();
	loop_virtual_advance(loop, 15 * MINUTE);
	settle();
	take_lines(&l);
	hash_of_line(l.at[1], head);
	(void)snprintf(wanted, sizeof wanted, "audit.head seq=2 hash=%s", head);
	OWNED(buf_done) struct buf log;
	load("stderr", &log);
	is_uint(count_of(buf_view(&log), wanted), 1, "the head is in the daemon's log");
	buf_done(&l.file);
	loop_virtual_advance(loop, 60 * MINUTE);
	settle();
	audit_close(a);
	buf_done(&log);
	load("stderr", &log);
	is_uint(count_of(buf_view(&log), "audit.head"), 2,
		"not while nothing is recorded; at the end");
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY));
	close(fd);
}

static size_t list(
	const char *what, int64_t since_us, size_t limit, struct buf *out, struct audit_list *q)
{
	buf_init(out, BYTES);
	*q = (struct audit_list){.state_dir = dir,
		.since_us = since_us,
		.what = span_str(what),
		.limit = limit,
		.to = out};
	audit_list(q);
	return q->n;
}

static void test_list(void)
{
	struct audit_list q;
	struct buf out;
	char subject[16];
	clear();
	struct audit *a = begin_with(small);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(subject, sizeof subject, "n%02d", i);
		say(a, i % 2 ? "key.add" : "vault.lock", subject);
		settle();
		loop_virtual_advance(loop, SECOND);
	}
	const int64_t now_us = loop_wall_us(loop);
	audit_close(a);
	is_uint(list("key", 0, 100, &out, &q), 10, "those of keys");
	ok(!q.has_more, "are all");
	ok(span_find(buf_view(&out), SPAN("n01")) < span_find(buf_view(&out), SPAN("n19")),
		"the newest last, over several files");
	buf_done(&out);
	is_uint(list("ke", 0, 100, &out, &q), 0, "half a word is none");
	is_str(buf_view(&out).n == 2 ? "[]" : "", "[]", "an empty list");
	buf_done(&out);
	is_uint(list(NULL, 0, 3, &out, &q), 3, "three");
	ok(q.has_more, "of more");
	ok(span_find(buf_view(&out), SPAN("n19")) < out.n, "the latest");
	buf_done(&out);
	is_uint(list("vault.lock", now_us - 5 * SECOND, 100, &out, &q), 2, "of the last seconds");
	buf_done(&out);
	const int fd = open(in_dir("audit.log"), O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, "no JSON\n", 8) != 8 || close(fd))
		bail("cannot write");
	(void)list("key", 0, 100, &out, &q);
	is_uint(q.unreadable, 1, "what is no record is left out");
	struct json json;
	is_err(json_scan(buf_view(&out), JSON_STRICT, &json, NULL), OK, "and what is told is JSON");
	buf_done(&out);
}

struct reader {
	struct job job;
	size_t found;
	bool is_done;
};

static void reader_run(struct job *j)
{
	struct audit_list q;
	struct buf out;
	container_of(j, struct reader, job)->found = list("key", 0, 100, &out, &q);
	buf_done(&out);
}

static void reader_done(struct job *j)
{
	container_of(j, struct reader, job)->is_done = true;
}

static void test_read(void)
{
	struct reader r = {
		.job = {.run = reader_run, .on_done = reader_done}
        };
	clear();
	struct audit *a = begin();
	say(a, "key.add", "one");
	audit_read(a, &r.job);
	settle();
	ok(r.is_done && r.found == 1, "who reads sees what was recorded before");
	audit_close(a);
}

int main(void)
{
	struct fault why;
	if (sodium_init() < 0 || !mkdtemp(dir))
		bail("cannot begin");
	signal(SIGXFSZ, SIG_IGN);
	log_init(LOG_LEVEL_ERROR, open("/dev/null", O_WRONLY));
	loop = loop_new(&why);
	workers = loop ? workers_new(loop, 1, &why) : NULL;
	if (!workers)
		bail("%s", why.message);
	test_record();
	test_order();
	test_every_byte();
	test_lines();
	test_cut_end();
	test_forged();
	test_ratchet();
	test_vector();
	test_epochs();
	test_unkeyed_is_covered();
	test_torn();
	test_broken_off();
	test_damaged();
	test_changed_meanwhile();
	test_removed_meanwhile();
	test_rotation();
	test_two_brokers();
	test_no_file();
	test_let_go();
	test_another_disk();
	test_another_log();
	test_retry();
	test_disk_full();
	test_queue_full();
	test_folds();
	test_allowed_flood();
	test_flood();
	test_head();
	test_list();
	test_read();
	clear();
	workers_free(workers);
	is_uint(loop_virtual_timers(loop), 0, "no timer is left");
	loop_free(loop);
	if (rmdir(dir))
		bail("something was left in %s", dir);
	return tap_done();
}
