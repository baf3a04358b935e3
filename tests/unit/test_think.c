/* test_think.c - thoughts in tags, told from the answer, however the text is cut. */
#include "brokerd/dialect/think.h"
#include "protocol/limits.h"
#include "tests/lib/tap.h"

static const struct {
	const char *name, *text;
	bool is_open;
	const char *thoughts, *answer;
} cases[] = {
	{"an answer alone",                 "Hello",                            false, "",                 "Hello"               },
	{"thoughts first",                  "<think>hm</think>Hello",           false, "hm",               "Hello"               },
	{"white space before the tag",      "\n\n <think>hm</think>Hello",      false, "hm",               "Hello"               },
	{"two line breaks go with the tag", "<think>\nhm\n</think>\n\nHello",   false, "\nhm\n",
         "Hello"														 },
	{"a third stays",                   "<think>hm</think>\n\n\nHello",     false, "hm",               "\nHello"             },
	{"as CR LF too",                    "<think>hm</think>\r\n\r\nHello",   false, "hm",               "Hello"               },
	{"the other tag",                   "<thinking>hm</thinking>Hello",     false, "hm",               "Hello"               },
	{"a third one",                     "<|thinking|>hm<|/thinking|>Hello", false, "hm",               "Hello"               },
	{"a tag later on is text",          "Say <think>x</think>",             false, "",                 "Say <think>x</think>"},
	{"what is no tag",                  "<thin>x",                          false, "",                 "<thin>x"             },
	{"white space kept before text",    "  Hello",                          false, "",                 "  Hello"             },
	{"signs that are no tag",           "<think>a < b </thin > c</think>d", false, "a < b </thin > c",
         "d"														     },
	{"no closing tag",                  "<think>hm",                        false, "hm",               ""                    },
	{"half a closing tag",              "<think>hm</thi",                   false, "hm</thi",          ""                    },
	{"half an opening tag",             "<thi",                             false, "",                 "<thi"                },
	{"inside from the beginning",       "hm</think>Hello",                  true,  "hm",               "Hello"               },
	{"nothing",			 "",				 false, "",                 ""                    },
	{"empty thoughts",                  "<think></think>Hello",             false, "",                 "Hello"               },
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		const struct span text = span_str(cases[i].text);
		for (size_t step = 1; step <= text.n + 1; step++) {
			OWNED(buf_done) struct buf thoughts = BUF_INIT(KIB);
			OWNED(buf_done) struct buf answer = BUF_INIT(KIB);
			OWNED(think_done) struct think t;
			think_init(&t, cases[i].is_open);
			for (size_t at = 0; at < text.n; at += step)
				think_add(&t, span_first(span_skip(text, at), step), &thoughts,
					&answer);
			think_end(&t, &thoughts, &answer);
			is_mem(thoughts.p, thoughts.n, cases[i].thoughts, strlen(cases[i].thoughts),
				"%s, by %zu: thoughts", cases[i].name, step);
			is_mem(answer.p, answer.n, cases[i].answer, strlen(cases[i].answer),
				"%s, by %zu: the answer", cases[i].name, step);
		}
	}
	return tap_done();
}
