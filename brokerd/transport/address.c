/* address.c - two tables of prefixes; IPv6 forms that carry IPv4 are judged by what they carry. */
#include "brokerd/transport/address.h"

#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "protocol/base/owned.h"

struct prefix4 {
	uint32_t net;
	unsigned bits;
};

#define V4(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct prefix4 special4[] = {
	{V4(0,   0,   0,   0), 8 }, /* this network */
	{V4(10,  0,   0,   0), 8 }, /* private */
	{V4(100, 64,  0,   0), 10}, /* shared by a carrier's customers */
	{V4(127, 0,   0,   0), 8 }, /* loopback */
	{V4(169, 254, 0,   0), 16}, /* link-local, and the metadata service of clouds */
	{V4(172, 16,  0,   0), 12}, /* private */
	{V4(192, 0,   0,   0), 24}, /* protocol assignments */
	{V4(192, 0,   2,   0), 24}, /* documentation */
	{V4(192, 88,  99,  0), 24}, /* relays of 6to4 */
	{V4(192, 168, 0,   0), 16}, /* private */
	{V4(198, 18,  0,   0), 15}, /* benchmarks */
	{V4(198, 51,  100, 0), 24}, /* documentation */
	{V4(203, 0,   113, 0), 24}, /* documentation */
	{V4(224, 0,   0,   0), 4 }, /* multicast */
	{V4(240, 0,   0,   0), 4 }, /* reserved, and broadcast */
};

struct prefix6 {
	unsigned char net[16];
	unsigned bits;
};

static const struct prefix6 mapped = {
	{[10] = 0xff, [11] = 0xff},
        96
};
static const struct prefix6 nat64 = {
	{0x00, 0x64, 0xff, 0x9b},
        96
};
static const struct prefix6 global = {{0x20}, 3};

/* within 2000::/3, outside of which nothing is global unicast */
static const struct prefix6 special6[] = {
	{{0x20, 0x01},             23}, /* protocol assignments, Teredo among them */
	{{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
	{{0x20, 0x02},             16}, /* 6to4 */
	{{0x3f, 0xff},             20}, /* documentation */
};

static bool has_prefix6(const unsigned char *a, const struct prefix6 *p)
{
	const unsigned whole = p->bits / 8, rest = p->bits % 8;
	if (memcmp(a, p->net, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ p->net[whole]) >> (8 - rest) == 0;
}

static bool is_public4(uint32_t a)
{
	for (size_t i = 0; i < COUNT_OF(special4); i++) {
		if ((a ^ special4[i].net) >> (32 - special4[i].bits) == 0)
			return false;
	}
	return true;
}

/* The IPv4 address in the last four bytes. */
static uint32_t carried4(const unsigned char *a)
{
	return V4(a[12], a[13], a[14], a[15]);
}

static bool is_public6(const unsigned char *a)
{
	if (has_prefix6(a, &mapped) || has_prefix6(a, &nat64))
		return is_public4(carried4(a));
	for (size_t i = 0; i < COUNT_OF(special6); i++) {
		if (has_prefix6(a, &special6[i]))
			return false;
	}
	return has_prefix6(a, &global);
}

/* Copied out: a sockaddr from elsewhere need not be aligned for its own kind. */
static uint32_t address4(const struct sockaddr *a)
{
	struct sockaddr_in in;
	memcpy(&in, a, sizeof in);
	return ntohl(in.sin_addr.s_addr);
}

static void address6(const struct sockaddr *a, unsigned char to[16])
{
	struct sockaddr_in6 in6;
	memcpy(&in6, a, sizeof in6);
	memcpy(to, in6.sin6_addr.s6_addr, 16);
}

bool address_is_public(const struct sockaddr *a)
{
	unsigned char six[16];
	if (a->sa_family == AF_INET)
		return is_public4(address4(a));
	if (a->sa_family != AF_INET6)
		return false;
	address6(a, six);
	return is_public6(six);
}

bool address_is_loopback(const struct sockaddr *a)
{
	static const unsigned char one[16] = {[15] = 1};
	unsigned char six[16];
	if (a->sa_family == AF_INET)
		return address4(a) >> 24 == 127;
	if (a->sa_family != AF_INET6)
		return false;
	address6(a, six);
	if (has_prefix6(six, &mapped))
		return carried4(six) >> 24 == 127;
	return memcmp(six, one, sizeof six) == 0;
}
