/* test_estimate.c - tokens by a rule of thumb, and the sizes of pictures that it goes by. */
#include "brokerd/dialect/estimate.h"

#include <string.h>

#include "brokerd/dialect/picture.h"
#include "tests/lib/tap.h"

/* For a static table: what a literal's bytes are, NULs included. */
#define BYTES(literal)                       \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

#define PNG  "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define JPEG "\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
#define WEBP "RIFF\x99\0\0\0WEBP"

/* clang-format off */
static const struct {
	const char *name;
	struct span bytes;
	int64_t width, height; /* 0: not said */
	int64_t tokens;
} pictures[] = {
	{"a PNG", BYTES(PNG "\0\0\4\0\0\0\3\0\x8\6\0\0\0"), 1024, 768, 1048},
	{"a small one", BYTES(PNG "\0\0\0\x80\0\0\0\x80"), 128, 128, 85},
	{"a large one", BYTES(PNG "\0\0\x20\0\0\0\x20\0"), 8192, 8192, 1600},
	{"the largest there can be", BYTES(PNG "\xff\xff\xff\xff\xff\xff\xff\xff"), UINT32_MAX, UINT32_MAX, 1600},
	{"a PNG of nothing", BYTES(PNG "\0\0\0\0\0\0\0\0"), 0, 0, 600},
	{"a PNG cut off", BYTES(PNG "\0\0\4\0"), 0, 0, 600},
	{"a GIF", BYTES("GIF89a\x40\1\xf0\0\xf7\0\0"), 320, 240, 102},
	{"a JPEG", BYTES(JPEG "\xff\xdb\0\4ab\xff\xc0\0\x11\x8\2\x36\2\x55\3\1"), 597, 566, 450},
	{"a progressive JPEG, with filling bytes", BYTES(JPEG "\xff\xff\xff\xc2\0\x11\x8\2\x36\2\x55\3\1"), 597, 566, 450},
	{"a JPEG of other tables", BYTES(JPEG "\xff\xc4\0\4ab\xff\xc1\0\x11\x8\2\x36\2\x55\3\1"), 597, 566, 450},
	{"a JPEG without its frame", BYTES(JPEG "\xff\xdb\xff\xff"), 0, 0, 600},
	{"a JPEG whose segments have no length", BYTES(JPEG "\xff\xdb\0\0\0\0\0\0\0\0\0\0"), 0, 0, 600},
	{"a JPEG cut off", BYTES(JPEG "\xff\xc0\0\x11\x8"), 0, 0, 600},
	{"a WebP, lossy", BYTES(WEBP "VP8 \x10\0\0\0\0\0\0\x9d\1\x2a\x40\1\xf0\0\0\0"), 320, 240, 102},
	{"a WebP, lossless", BYTES(WEBP "VP8L\x10\0\0\0\x2f\x3f\xc1\x3b\0\0\0\0\0\0"), 320, 240, 102},
	{"a WebP, extended", BYTES(WEBP "VP8X\x0a\0\0\0\0\0\0\0\x3f\1\0\xef\0\0\0\0"), 320, 240, 102},
	{"a WebP of the future", BYTES(WEBP "VP9 \x0a\0\0\0\0\0\0\0\x3f\1\0\xef\0\0\0\0"), 0, 0, 600},
	{"another kind", BYTES("BM\x99\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 0, 0, 600},
	{"nothing", BYTES(""), 0, 0, 600},
};

static const struct {
	const char *name;
	enum part_type type;
	struct media media;
	int64_t tokens;
} media[] = {
	{"a picture that is only looked at", PART_IMAGE, {.data = BYTES(PNG "\0\0\4\0\0\0\3\0"), .detail = BYTES("low")}, 85},
	{"a picture elsewhere", PART_IMAGE, {.url = BYTES("https://a.test/b.png")}, 600},
	{"a file elsewhere", PART_FILE, {.file_id = BYTES("file_1")}, 0},
	{"two pages", PART_FILE, {.data = BYTES("%PDF-1.4 /Type /Pages /Count 2 /Type /Page /x /Type/Page>>")}, 2000},
	{"a PDF whose pages are packed", PART_FILE, {.data = BYTES("%PDF-1.7 ....")}, 1000},
	{"a text", PART_FILE, {.data = BYTES("twelve bytes")}, 3},
	{"a text in no letters of ours", PART_FILE, {.data = BYTES("\xe6\x9d\xb1\xe4\xba\xac")}, 2},
	{"an archive", PART_FILE, {.data = BYTES("PK\3\4\0......................................................")}, 2},
	{"what is no text", PART_FILE, {.data = BYTES("\xff\xfe\xfd")}, 1},
	{"a sound", PART_AUDIO, {.data = BYTES("RIFF....WAVEfmt ")}, 1},
};
/* clang-format on */

static void test_media(void)
{
	for (size_t i = 0; i < COUNT_OF(pictures); i++) {
		const struct part p = {.type = PART_IMAGE, .media = {.data = pictures[i].bytes}};
		int64_t width, height;
		const bool is_said = picture_size(pictures[i].bytes, &width, &height);
		ok(is_said == (pictures[i].width > 0), "%s: it says its size, or not",
			pictures[i].name);
		if (is_said) {
			is_int(width, pictures[i].width, "%s: width", pictures[i].name);
			is_int(height, pictures[i].height, "%s: height", pictures[i].name);
		}
		is_int(estimate_medium(&p), pictures[i].tokens, "%s: tokens", pictures[i].name);
		for (size_t n = 0; n < pictures[i].bytes.n; n++) /* whatever of it is there */
			(void)picture_size(span_first(pictures[i].bytes, n), &width, &height);
	}
	for (size_t i = 0; i < COUNT_OF(media); i++) {
		const struct part p = {.type = media[i].type, .media = media[i].media};
		is_int(estimate_medium(&p), media[i].tokens, "%s", media[i].name);
	}
}

static void test_request(void)
{
	struct part part = {.type = PART_TEXT, .text = SPAN("Say hello.")};
	struct message message = {.role = ROLE_USER, .parts = &part, .n_parts = 1};
	struct tool tool = {.name = SPAN("f"), .parameters = SPAN("{}")};
	struct llm_request r = {.messages = &message, .n_messages = 1, .model = SPAN("gpt-5")};
	is_int(estimate_request(&r), 4 + 3, "a message");
	r.tools = &tool;
	r.n_tools = 1;
	is_int(estimate_request(&r), 7 + 4 + 1 + 1, "with a tool");
	r.model = SPAN("us.anthropic.Claude-sonnet-5");
	is_int(estimate_request(&r), 13 + 500, "and what some models are told before it");
	r.n_tools = 0;
	is_int(estimate_request(&r), 7, "which without tools they are not");
	is_int(estimate_text(SPAN("")), 0, "no text");
	is_int(estimate_text(SPAN("abcde")), 2, "four letters a token, rounded up");
	is_int(estimate_text(SPAN("\xd0\xbf\xd1\x80")), 2, "of other letters each");
}

/* As the header says it, letter by letter. */
static int64_t by_letters(struct span text)
{
	int64_t ascii = 0, others = 0;
	for (size_t i = 0; i < text.n; i++) {
		const unsigned char c = (unsigned char)text.p[i];
		ascii += c < 0x80;
		others += c >= 0xc0;
	}
	return (ascii + 3) / 4 + others;
}

static void test_any_length(void)
{
	static char text[9000];
	uint32_t seed = 7;
	int wrong = 0;
	for (size_t i = 0; i < sizeof text; i++) {
		seed = seed * 1664525 + 1013904223;
		/* some of each kind, and long runs of one */
		text[i] = (char)(i < 6000 ? seed >> 24 : i < 7500 ? 0xe6 : 'a');
	}
	for (size_t n = 0; n <= sizeof text; n += n < 300 ? 1 : 97) {
		wrong += estimate_text(span_of(text, n)) != by_letters(span_of(text, n));
		const struct span end = span_of(text + sizeof text - n, n);
		wrong += estimate_text(end) != by_letters(end);
	}
	is_int(wrong, 0, "texts of any length and place are counted as letter by letter");
}

int main(void)
{
	test_any_length();
	test_media();
	test_request();
	return tap_done();
}
