/* test_address.c - which addresses are public, at the edges of every prefix. */
#include "brokerd/transport/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "protocol/base/owned.h"
#include "tests/lib/tap.h"

static const struct {
	const char *text;
	bool is_public, is_loopback;
} addresses[] = {
	{"0.0.0.0",                  false, false},
	{"0.255.255.255",            false, false},
	{"1.0.0.0",                  true,  false},
	{"9.255.255.255",            true,  false},
	{"10.0.0.0",                 false, false},
	{"10.255.255.255",           false, false},
	{"11.0.0.0",                 true,  false},
	{"100.63.255.255",           true,  false},
	{"100.64.0.0",               false, false},
	{"100.127.255.255",          false, false},
	{"100.128.0.0",              true,  false},
	{"126.255.255.255",          true,  false},
	{"127.0.0.0",                false, true },
	{"127.0.0.1",                false, true },
	{"127.255.255.255",          false, true },
	{"128.0.0.0",                true,  false},
	{"169.253.255.255",          true,  false},
	{"169.254.0.0",              false, false},
	{"169.254.169.254",          false, false},
	{"169.255.0.0",              true,  false},
	{"172.15.255.255",           true,  false},
	{"172.16.0.0",               false, false},
	{"172.31.255.255",           false, false},
	{"172.32.0.0",               true,  false},
	{"192.0.0.170",              false, false},
	{"192.0.1.0",                true,  false},
	{"192.0.2.1",                false, false},
	{"192.88.99.1",              false, false},
	{"192.167.255.255",          true,  false},
	{"192.168.0.0",              false, false},
	{"192.168.255.255",          false, false},
	{"192.169.0.0",              true,  false},
	{"198.17.255.255",           true,  false},
	{"198.18.0.0",               false, false},
	{"198.19.255.255",           false, false},
	{"198.20.0.0",               true,  false},
	{"198.51.100.7",             false, false},
	{"203.0.113.7",              false, false},
	{"223.255.255.255",          true,  false},
	{"224.0.0.1",                false, false},
	{"239.255.255.255",          false, false},
	{"240.0.0.0",                false, false},
	{"255.255.255.255",          false, false},
	{"8.8.8.8",                  true,  false},
	{"::",		       false, false},
	{"::1",		      false, true },
	{"::2",		      false, false},
	{"::8.8.8.8",                false, false}, /* the old "compatible" form */
	{"::ffff:8.8.8.8",           true,  false},
	{"::ffff:127.0.0.1",         false, true },
	{"::ffff:10.1.2.3",          false, false},
	{"::ffff:169.254.169.254",   false, false},
	{"::ffff:0.0.0.0",           false, false},
	{"::fffe:8.8.8.8",           false, false},
	{"64:ff9b::8.8.8.8",         true,  false},
	{"64:ff9b::10.1.2.3",        false, false},
	{"64:ff9b::127.0.0.1",       false, false},
	{"64:ff9b::169.254.169.254", false, false},
	{"64:ff9b:1::8.8.8.8",       false, false}, /* NAT64 for a site's own use */
	{"100::1",		   false, false},
	{"1fff:ffff::1",             false, false},
	{"2000::1",                  true,  false},
	{"2001::1",                  false, false}, /* Teredo */
	{"2001:1ff:ffff::1",         false, false},
	{"2001:200::1",              true,  false},
	{"2001:4860:4860::8888",     true,  false},
	{"2001:db7:ffff::1",         true,  false},
	{"2001:db8::1",              false, false},
	{"2001:db9::1",              true,  false},
	{"2002:7f00:1::1",           false, false}, /* 6to4 of 127.0.0.1 */
	{"2002:808:808::1",          false, false},
	{"2003::1",                  true,  false},
	{"2606:4700::6810:84e5",     true,  false},
	{"3ffe:ffff::1",             true,  false},
	{"3fff::1",                  false, false},
	{"3fff:fff:ffff::1",         false, false},
	{"3fff:1000::1",             true,  false},
	{"4000::1",                  false, false},
	{"5f00::1",                  false, false},
	{"fbff::1",                  false, false},
	{"fc00::1",                  false, false},
	{"fd12:3456::1",             false, false},
	{"fe80::1",                  false, false},
	{"febf::1",                  false, false},
	{"fec0::1",                  false, false}, /* the old site-local */
	{"ff02::1",                  false, false},
	{"ff0e::1",                  false, false},
};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(addresses); i++) {
		const char *text = addresses[i].text;
		struct sockaddr_storage ss = {0};
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
		if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
			memcpy(&ss, &in, sizeof in);
		else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
			memcpy(&ss, &in6, sizeof in6);
		else
			bail("\"%s\" is no address", text);
		const struct sockaddr *a = (const struct sockaddr *)&ss;
		is_int(address_is_public(a), addresses[i].is_public, "is %s public", text);
		is_int(address_is_loopback(a), addresses[i].is_loopback, "is %s loopback", text);
	}
	const struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr other;
	memcpy(&other, &un, sizeof other);
	ok(!address_is_public(&other), "a Unix socket is not public");
	ok(!address_is_loopback(&other), "and not loopback");
	return tap_done();
}
