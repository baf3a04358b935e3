/* test_secret.c - is an open key readable when it is open, and then alone? */
#include <sodium.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "brokerd/value/guarded.h"
#include "brokerd/value/secret.h"
#include "brokerd/value/secret_open.h"
#include "protocol/base/sanitized.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

/* Does a process that reads (or writes) there die? */
static bool is_deadly(const volatile char *at, bool is_write)
{
	const pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		close(STDERR_FILENO);
		if (is_write)
			*(volatile char *)(uintptr_t)at = 'x';
		else
			(void)*at;
		_exit(0);
	}
	int status = 0;
	waitpid(child, &status, 0);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_reading(void)
{
	struct secret *s = NULL;
	const struct span text = SPAN("sk-test-0123"), origin = SPAN("https://api.example:443");

	is_err(secret_new(text, origin, &s), OK, "a secret is made");
	ok(span_eq(secret_origin(s), origin), "it knows its origin");
	struct span bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, text.p, text.n, "open, its bytes are there");
	ok(is_deadly(bytes.p, true), "open, nobody can write them");
	const struct span again = secret_open(s);
	secret_close(s);
	is_mem(again.p, again.n, text.p, text.n, "openings nest");
	ok(!is_deadly(bytes.p, false), "open, a read is no crime");
	secret_close(s);
	ok(is_deadly(bytes.p, false), "closed, a read is the end");
	bytes = secret_open(s);
	is_mem(bytes.p, bytes.n, text.p, text.n, "it opens again");
	secret_close(s);

	is_str(secret_ref(s) == s ? "same" : "other", "same", "a reference is the same secret");
	secret_unref(s);
	bytes = secret_open(s);
	is_uint(bytes.n, text.n, "it lives while somebody holds it");
	secret_close(s);
	secret_unref(s);
	secret_unref(NULL);
}

static void test_sizes(void)
{
	static const size_t sizes[] = {1, 15, 16, 4095, 4096, 4097, LIMIT_SECRET_BYTES};
	static char bytes[LIMIT_SECRET_BYTES];

	memset(bytes, 'k', sizeof bytes);
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct secret *s = NULL;
		is_err(secret_new(span_of(bytes, sizes[i]), SPAN("https://h:1"), &s), OK,
			"a secret of %zu bytes", sizes[i]);
		const struct span got = secret_open(s);
		is_mem(got.p, got.n, bytes, sizes[i], "comes back whole");
		ok(is_deadly(got.p + got.n, false), "and a read beyond its end is the end");
		secret_close(s);
		secret_unref(s);
	}
}

static void test_guarded(void)
{
	static const char zeroes[40];
	OWNED(guarded_drop) struct guarded *g = NULL;

	is_err(guarded_new(sizeof zeroes, &g), OK, "a block is made");
	is_uint(guarded_size(g), sizeof zeroes, "of its size");
	const struct span bytes = guarded_read(g);
	is_mem(bytes.p, bytes.n, zeroes, sizeof zeroes, "and empty");
	unsigned char *to = guarded_write(g);
	to[3] = 'x';
	guarded_close(g);
	is_int(bytes.p[3], 'x', "what was open for reading can be opened for writing inside");
	guarded_close(g);
	ok(is_deadly((const char *)to, true), "closed, it is closed for both");
}

static void test_locking(void)
{
	struct fault why = FAULT_NONE;
	if (!secret_memory_locks(&why))
		skip("no memory can be locked here: %s", why.message);
	else
		ok(true, "memory can be locked here");

#if ADDRESS_SANITIZED
	skip("AddressSanitizer makes mlock do nothing, and say that it did");
	return;
#endif
	const pid_t child = fork();
	if (child == 0) {
		/* root's right to lock goes with its effective uid */
		if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) != 0 ||
			(geteuid() == 0 && seteuid(65534) != 0))
			_exit(2);
		const bool locks = secret_memory_locks(&why);
		_exit(!locks && strstr(why.message, "LimitMEMLOCK") ? 0 : 1);
	}
	int status = 0;
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		skip("the limit cannot be set here");
	else
		is_int(WEXITSTATUS(status), 0, "where it cannot, that is said, with what to do");
}

int main(void)
{
	if (sodium_init() < 0)
		bail("libsodium does not start");
	test_reading();
	test_sizes();
	test_guarded();
	test_locking();
	return tap_done();
}
