/* test_frame.c - frames, whole, in pieces, too long, and broken. */
#include "protocol/frame.h"

#include <limits.h>
#include <stdlib.h>

#include "protocol/limits.h"
#include "tests/lib/tap.h"

#define T(literal)                           \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

static const struct {
	const char *name;
	struct span bytes;
	enum err want;
	size_t need; /* where it is ERR_MORE */
} takes[] = {
	{"nothing yet",			  T(""),						 ERR_MORE,      4     },
	{"half a length",                        T("\x00\x00"),					 ERR_MORE,      4     },
	{"a length alone",                       T("\x00\x00\x00\x05"),                                 ERR_MORE,      9     },
	{"one byte short",                       T("\x00\x00\x00\x04\x93\x06\x01"),                     ERR_MORE,      8     },
	{"the least",			    T("\x00\x00\x00\x04\x93\x06\x01\xc0"),                 OK,            0     },
	{"a length of 0",                        T("\x00\x00\x00\x00"),                                 ERR_MALFORMED, 0     },
	{"the longest length, not here yet",     T("\x00\x04\x00\x00"),                                 ERR_MORE,      262148},
	{"one more is refused before it comes",  T("\x00\x04\x00\x01"),                                 ERR_TOO_BIG,   0     },
	{"all ones",			     T("\xff\xff\xff\xff"),                                 ERR_TOO_BIG,   0     },
	{"HTTP",				 T("GET / HTTP/1.1\r\n"),                               ERR_TOO_BIG,   0     },
	{"no array",			     T("\x00\x00\x00\x01\x80"),                             ERR_MALFORMED, 0     },
	{"an empty array",                       T("\x00\x00\x00\x01\x90"),                             ERR_MALFORMED, 0     },
	{"no body",			      T("\x00\x00\x00\x03\x92\x06\x01"),                     ERR_MALFORMED, 0     },
	{"an element more is a later version's", T("\x00\x00\x00\x05\x94\x06\x01\x80\x07"),             OK,            0     },
	{"but it must be sound",                 T("\x00\x00\x00\x05\x94\x06\x01\x80\xc1"),             ERR_MALFORMED, 0     },
	{"bytes after the array",                T("\x00\x00\x00\x05\x93\x06\x01\x80\x07"),             ERR_MALFORMED, 0     },
	{"a type that is a str",                 T("\x00\x00\x00\x05\x93\xa1\x61\x01\x80"),             ERR_MALFORMED, 0     },
	{"a type below 0",                       T("\x00\x00\x00\x04\x93\xff\x01\x80"),                 ERR_MALFORMED, 0     },
	{"a type over an int",                   T("\x00\x00\x00\x08\x93\xce\xff\xff\xff\xff\x01\x80"), ERR_MALFORMED,
         0														   },
	{"an unknown type is the receiver's",    T("\x00\x00\x00\x06\x93\xcd\x01\x00\x01\x80"),         OK,            0     },
	{"a call below 0",                       T("\x00\x00\x00\x04\x93\x06\xff\x80"),                 ERR_MALFORMED, 0     },
	{"a call over 32 bits",                  T("\x00\x00\x00\x0c\x93\x06\xcf\0\0\0\1\0\0\0\0\x80"),
         ERR_MALFORMED,												0     },
	{"the last call",                        T("\x00\x00\x00\x08\x93\x06\xce\xff\xff\xff\xff\x80"), OK,            0     },
	{"a count that is a lie",                T("\x00\x00\x00\x08\x93\x06\x01\xdd\xff\xff\xff\xff"),
         ERR_MALFORMED,												0     },
};

static void test_takes(void)
{
	for (size_t i = 0; i < COUNT_OF(takes); i++) {
		struct span in = takes[i].bytes;
		struct fault why = FAULT_NONE;
		struct frame frame;
		size_t need = 0;
		const char *name = takes[i].name;
		is_err(frame_take(&in, &frame, &need, &why), takes[i].want, "%s", name);
		if (takes[i].want == OK) {
			is_uint(in.n, 0, "%s: all is taken", name);
			is_uint(frame.length, takes[i].bytes.n - 4, "%s: its length", name);
		} else {
			ok(in.p == takes[i].bytes.p && in.n == takes[i].bytes.n,
				"%s: nothing is taken", name);
		}
		if (takes[i].want == ERR_MORE)
			is_uint(need, takes[i].need, "%s: needs", name);
		ok((why.message[0] != '\0') ==
				(takes[i].want == ERR_MALFORMED || takes[i].want == ERR_TOO_BIG),
			"%s: and why", name);
	}
}

static void put_three(struct buf *b)
{
	size_t mark = frame_begin(b, FRAME_EVENT, 7);
	pack_put_map(b, 1);
	pack_put_text(b, "d");
	pack_put_text(b, "one");
	if (frame_finish(b, mark))
		bail("the first frame");
	if (frame_put(b, FRAME_END, UINT32_MAX, span_of("\x80", 1)))
		bail("the second frame");
	mark = frame_begin(b, FRAME_FAULT, 0);
	pack_put_array(b, 2);
	pack_put_nil(b);
	pack_put_text(b, "a body may be any value to a frame");
	if (frame_finish(b, mark))
		bail("the third frame");
}

static bool is_third(int n, const struct frame *f)
{
	static const int types[] = {FRAME_EVENT, FRAME_END, FRAME_FAULT};
	static const uint32_t calls[] = {7, UINT32_MAX, 0};
	static const size_t bodies[] = {7, 1, 38};
	return n < 3 && f->type == types[n] && f->call == calls[n] && f->raw.n == bodies[n] &&
	       f->body.at == (const unsigned char *)f->raw.p &&
	       f->body.end == f->body.at + bodies[n];
}

/* Feeds `all` in two pieces, as a socket might, and takes what can be taken after each. */
static bool is_same_in_two(struct span all, size_t cut)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	int n = 0;
	for (int piece = 0; piece < 2; piece++) {
		buf_span(&b, piece ? span_skip(all, cut) : span_first(all, cut));
		struct span in = buf_view(&b);
		struct frame f;
		enum err err;
		while ((err = frame_take(&in, &f, NULL, NULL)) == OK) {
			if (!is_third(n++, &f))
				return false;
		}
		if (err != ERR_MORE)
			return false;
		buf_drop(&b, b.n - in.n);
	}
	return n == 3 && b.n == 0;
}

static void test_pieces(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(LIMIT_FRAME_BYTES);
	put_three(&b);
	int differ = 0;
	for (size_t cut = 0; cut <= b.n; cut++)
		differ += !is_same_in_two(buf_view(&b), cut);
	is_int(differ, 0, "three frames, cut at each of %zu bytes", b.n + 1);

	/* one byte at a time: each frame is there with its last byte, and `need` never lies */
	OWNED(buf_done) struct buf fed = BUF_INIT(LIMIT_FRAME_BYTES);
	int n = 0, early = 0;
	size_t promised = 0;
	for (size_t i = 0; i < b.n; i++) {
		struct span in;
		struct frame f;
		size_t need = 0;
		buf_byte(&fed, b.p[i]);
		in = buf_view(&fed);
		const enum err err = frame_take(&in, &f, &need, NULL);
		if (err == ERR_MORE) {
			early += need <= fed.n;
			promised = need;
			continue;
		}
		ok(err == OK && is_third(n, &f), "frame %d, byte by byte", n);
		n++;
		is_uint(fed.n, promised, "came when it was promised");
		buf_clear(&fed);
	}
	is_int(n, 3, "all three");
	is_int(early, 0, "need is more than there is");
	is_uint(fed.n, 0, "nothing is left");
}

static void test_longest(void)
{
	OWNED(buf_done) struct buf b = BUF_INIT(4 * LIMIT_FRAME_BYTES);
	const size_t head = 3 + 5; /* array, type, call; the bin's own head */
	char *zeros = calloc(1, LIMIT_FRAME_BYTES + 1);
	if (!zeros)
		bail("out of memory");
	for (size_t more = 0; more < 2; more++) {
		struct frame f;
		buf_clear(&b);
		buf_text(&b, "before");
		const size_t mark = frame_begin(&b, FRAME_DATA, 1);
		pack_put_bin(&b, span_of(zeros, LIMIT_FRAME_BYTES - head + more));
		is_err(frame_finish(&b, mark), more ? ERR_TOO_BIG : OK, "a frame of %zu bytes",
			LIMIT_FRAME_BYTES + more);
		is_uint(b.n, more ? 6 : 6 + 4 + LIMIT_FRAME_BYTES, "is there, or taken back");
		is_err(buf_error(&b), OK, "and the buf goes on");
		if (more)
			continue;
		struct span in = span_skip(buf_view(&b), 6);
		is_err(frame_take(&in, &f, NULL, NULL), OK, "and can be read");
		is_uint(f.length, LIMIT_FRAME_BYTES, "its length");
	}
	free(zeros);

	for (size_t room = 0; room < 12; room++) {
		OWNED(buf_done) struct buf small = BUF_INIT(room);
		const enum err err = frame_put(&small, FRAME_CANCEL, 1, SPAN("\x80"));
		is_err(err, room < 8 ? ERR_TOO_BIG : OK, "into a buf of %zu bytes", room);
		is_uint(small.n, room < 8 ? 0 : 8, "all of it or none");
	}
}

static void test_names(void)
{
	is_str(frame_name(FRAME_HELLO), "hello", "the first");
	is_str(frame_name(FRAME_GOAWAY), "goaway", "the last");
	is_str(frame_name(0), "unknown", "before it");
	is_str(frame_name(12), "unknown", "after it");
	is_str(frame_name(-1), "unknown", "below 0");
	is_str(frame_name(INT_MAX), "unknown", "far out");
}

/* What is seen of a frame before it is checked is what it is. */
static void test_glance(void)
{
	static const uint32_t calls[] = {
		0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX - 1, UINT32_MAX};
	size_t same = 0, n = 0, cut = 0, n_cut = 0;
	for (size_t i = 0; i < COUNT_OF(calls); i++) {
		for (int type = FRAME_HELLO; type <= FRAME_GOAWAY; type++, n++) {
			OWNED(buf_done) struct buf b = BUF_INIT(KIB);
			struct frame f, seen;
			const size_t mark = frame_begin(&b, (enum frame_type)type, calls[i]);
			pack_put_str(&b, SPAN("a body"));
			if (frame_finish(&b, mark))
				bail("no frame");
			const size_t whole = b.n;
			buf_text(&b, "more");
			struct span in = buf_view(&b);
			same += frame_glance(in, &seen) && frame_take(&in, &f, NULL, NULL) == OK &&
				f.type == seen.type && f.call == seen.call &&
				f.raw.p == seen.raw.p && f.raw.n == seen.raw.n &&
				f.length == seen.length;
			for (size_t k = 0; k < whole; k++, n_cut++)
				cut += !frame_glance(span_first(buf_view(&b), k), &seen);
		}
	}
	is_uint(same, n, "every type and width of a number: as it is taken");
	is_uint(cut, n_cut, "none that is not all there");
	static const char *const others[] = {"\0\0\0\4\x94\3\1\xc0", "\0\0\0\3\x93\3\xcc",
		"\0\0\0\5\x93\3\xce\0\0", "\0\0\0\4\x93\xcc\3\1", "\0\0\0\4\x93\3\xff\xc0",
		"\0\0\0\2\x93\3", "\xff\xff\xff\xff\x93\3\1\xc0"};
	static const size_t bytes[] = {8, 7, 9, 8, 8, 6, 8};
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		struct frame seen;
		ok(!frame_glance(span_of(others[i], bytes[i]), &seen),
			"none of ours: the %zu. of them", i + 1);
	}
}

int main(void)
{
	test_takes();
	test_glance();
	test_pieces();
	test_longest();
	test_names();
	return tap_done();
}
