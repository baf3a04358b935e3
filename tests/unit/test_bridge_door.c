/* test_bridge_door.c - which names of this host are believed, and which web pages may ask? */
#include "libllmclient/bridge/door.h"
#include "tests/lib/tap.h"

static const char *const origins[] = {"https://app.test", "http://localhost:3000"};
static const char *const hosts[] = {"box.lan"};
static const struct door open_door = {origins, COUNT_OF(origins), hosts, COUNT_OF(hosts)};
static const struct door plain_door = {NULL, 0, NULL, 0};

static const struct {
	const char *host; /* NULL: there is no such header */
	bool plain, open; /* who lets it in */
} names[] = {
	{NULL,		   true,  true },
	{"localhost",            true,  true },
	{"LocalHost:8411",       true,  true },
	{"127.0.0.1",            true,  true },
	{"127.0.0.1:8411",       true,  true },
	{"127.0.0.2:8411",       true,  true },
	{"127.255.0.9",          true,  true },
	{"[::1]",                true,  true },
	{"[::1]:8411",           true,  true },
	{"box.lan",              false, true },
	{"BOX.LAN:80",           false, true },
	{"",		     false, false},
	{":8411",                false, false},
	{"evil.test",            false, false},
	{"evil.test:8411",       false, false},
	{"localhost.evil.test",  false, false},
	{"localhost:8411.evil",  false, false},
	{"localhost:evil.test",  false, false},
	{"127.0.0.1.evil.test",  false, false},
	{"127.evil.test",        false, false},
	{"127.0.0.1@evil.test",  false, false},
	{"127.0.0.1, evil.test", false, false},
	{"127.0.0.256",          false, false},
	{"128.0.0.1",            false, false},
	{"10.0.0.1:8411",        false, false},
	{"0.0.0.0",              false, false},
	{"[::1",		 false, false},
	{"[::1]evil.test",       false, false},
	{"[::1].evil.test:8411", false, false},
	{"[::2]",                false, false},
	{"[]",		   false, false},
	{"xbox.lan",             false, false},
	{"localhos",             false, false},
	{"localhost\xff",        false, false},
};

static const struct {
	const char *origin;
	bool plain, open;
} pages[] = {
	{NULL,			  true,  true },
	{"https://app.test",            false, true },
	{"HTTPS://APP.test",            false, true },
	{"http://localhost:3000",       false, true },
	{"http://app.test",             false, false},
	{"https://app.test:444",        false, false},
	{"https://app.test.evil",       false, false},
	{"https://app.test, https://x", false, false},
	{"http://localhost",            false, false},
	{"http://127.0.0.1:8411",       false, false},
	{"null",			false, false},
	{"",			    false, false},
};

static const struct {
	const char *site;
	bool may;
} sites[] = {
	{NULL,          true },
	{"none",        true },
	{"same-origin", true },
	{"same-site",   false},
	{"cross-site",  false},
	{"",            false},
	{"whatever",    false},
};

static void hears(enum err err, const struct fault *why, bool may, const char *name)
{
	is_err(err, may ? OK : ERR_DENIED, "%s", name);
	is_err(why->err, err, "%s: as it is told", name);
	ok(may || strstr(why->message, "--allow-"), "%s: what to do", name);
}

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct fault why = FAULT_NONE, other = FAULT_NONE;
		const struct span host = span_str(names[i].host);
		const char *name = names[i].host ? names[i].host : "(no Host)";
		hears(door_host(&plain_door, host, &why), &why, names[i].plain, name);
		hears(door_host(&open_door, host, &other), &other, names[i].open, name);
	}
	for (size_t i = 0; i < COUNT_OF(pages); i++) {
		struct fault why = FAULT_NONE, other = FAULT_NONE;
		const struct span origin = span_str(pages[i].origin);
		const char *name = pages[i].origin ? pages[i].origin : "(no Origin)";
		hears(door_origin(&plain_door, origin, &why), &why, pages[i].plain, name);
		hears(door_origin(&open_door, origin, &other), &other, pages[i].open, name);
	}
	for (size_t i = 0; i < COUNT_OF(sites); i++) {
		struct fault why = FAULT_NONE;
		const char *name = sites[i].site ? sites[i].site : "(no Sec-Fetch-Site)";
		hears(door_site(span_str(sites[i].site), &why), &why, sites[i].may, name);
	}
	return tap_done();
}
