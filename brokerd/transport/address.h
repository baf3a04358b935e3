/* address.h - does this address belong to the public internet?
 * Pure functions of an address: no lookup, no I/O. Names are judged by what they resolve to, at the
 * moment of connecting, so that no spelling and no second answer of a name server gets around it. */
#ifndef BROKERD_TRANSPORT_ADDRESS_H
#define BROKERD_TRANSPORT_ADDRESS_H
#include <stdbool.h>
#include <sys/socket.h>

/* False for loopback, private, shared (CGNAT), link-local (the metadata service of clouds),
 * multicast, reserved and documentation addresses, for IPv6 forms that carry one of these, and for
 * any family but IPv4 and IPv6. Source: the IANA special-purpose address registries. */
bool address_is_public(const struct sockaddr *a);

/* 127.0.0.0/8, ::1, and the first inside the second's mapped form. */
bool address_is_loopback(const struct sockaddr *a);

#endif
