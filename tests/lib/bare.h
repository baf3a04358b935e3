/* bare.h - libcurl's multi handle on libev, as a bare user of it writes that.
 * For the benchmark's programs that ask a provider themselves; brokerd has its own. Dies where libcurl
 * refuses anything. */
#ifndef TESTS_LIB_BARE_H
#define TESTS_LIB_BARE_H
#include <curl/curl.h>
#include <ev.h>
#include <stdint.h>

struct bare_socket;

struct bare {
	struct ev_loop *loop;
	CURLM *curl;
	ev_timer timer;
	struct bare_socket *sockets; /* by descriptor */
	size_t n_sockets;
	/* A transfer is over, and out of the multi handle again. */
	void (*on_done)(CURL *easy, CURLcode result);
};

/* For so many transfers at once, over so many descriptors in all; `on_done` and `loop` are set. */
void bare_init(struct bare *m, int64_t transfers, size_t descriptors);
void bare_done(struct bare *m); /* of one whose transfers have been taken out */

void bare_add(struct bare *m, CURL *easy);
void bare_remove(struct bare *m, CURL *easy);

/* Ends the program unless it is CURLE_OK, CURLM_OK. */
void bare_easy_ok(CURLcode code);
void bare_ok(CURLMcode code);
#define BARE_SET(easy, option, value) bare_easy_ok(curl_easy_setopt((easy), (option), (value)))

#endif
