/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A way to one radio that carries whole companion frames (wire reference 1).
 * Every transport keeps this contract, so nothing above knows which it is. */

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "bluez.h"
#include "bond.h"

/* Why a link ended, in the words of the radio state's Reason (design,
 * section 3). */
typedef enum LinkEnd {
        LINK_END_NOT_PLUGGED, /* the device or adapter is not there */
        LINK_END_REFUSED,     /* there, and said no: port closed, permission, busy */
        LINK_END_UNREACHABLE, /* no route, no name, no answer to the connect */
        LINK_END_LOST,        /* was open; closed by the other side or pulled */
        LINK_END_PROTOCOL,    /* the byte stream makes no sense any more */
        LINK_END_NEEDS_PIN,   /* the radio must be paired, and there is no PIN that it accepts */
        LINK_END_ADAPTER_OFF, /* the Bluetooth adapter has no power, by somebody's wish */
        _LINK_END_MAX,
        _LINK_END_INVALID = -22,
} LinkEnd;

/* "not-plugged", "refused" …; NULL for an invalid one. */
const char *link_end_to_string(LinkEnd end);

typedef struct Link Link;

typedef struct LinkHandler {
        /* Frames may be sent from here on. */
        void (*opened)(Link *link, void *userdata);
        /* One whole frame, 1 to 300 bytes, borrowed for the call. */
        void (*frame)(Link *link, const uint8_t *frame, size_t size, void *userdata);
        /* The link is dead: nothing follows, link_send() fails with -ENOTCONN. error
         * is a negative errno, or 0 for an orderly end. The link object stays
         * until link_close(). Called once at most. */
        void (*closed)(Link *link, LinkEnd end, int error, void *userdata);
} LinkHandler;

/* tcp://host[:port]: a name or an IPv4/IPv6 literal. Nothing is opened yet.
 * A Wi-Fi radio's stream cannot be resynchronised (wire reference 1.2), so
 * a frame with an impossible length ends the link with LINK_END_PROTOCOL. */
int link_new_tcp(sd_event *event, const char *host, uint16_t port, const LinkHandler *handler, void *userdata,
                 Link **ret);

/* What happens to DTR and RTS when a port is opened. Some boards stay mute
 * without DTR, others are held in reset by either line. */
typedef enum SerialLines {
        SERIAL_LINES_DEFAULT, /* by driver and USB id */
        SERIAL_LINES_OTHER,   /* the opposite of that: for one retry when a radio stays mute */
        SERIAL_LINES_ON,      /* DTR on, RTS off */
        SERIAL_LINES_OFF,     /* both off */
        SERIAL_LINES_KEEP,    /* neither is touched after opening */
        _SERIAL_LINES_MAX,
        _SERIAL_LINES_INVALID = -22,
} SerialLines;

const char *serial_lines_to_string(SerialLines lines);

/* serial:/dev/…: a serial port or pseudo terminal, 115200 8N1, ours alone
 * while it is open. path is absolute and may be a symbolic link; it is followed each
 * time the link opens. The stream resynchronises by itself (wire reference
 * 1.2), so LINK_END_PROTOCOL does not happen here. */
int link_new_serial(sd_event *event, const char *path, SerialLines lines, const LinkHandler *handler,
                    void *userdata, Link **ret);

typedef struct BleOptions {
        const char *adapter; /* "hci0" or its address; NULL: the one that knows the radio, else any */
        bool check_only; /* starts nothing, and changes nothing that outlives the link: no scan, pairing or
                            power */
        bool power_on;   /* give power to the adapter, and make it pairable */
        bool repair;     /* forget the bond first, pair anew */
        unsigned tries;  /* to connect; 0: 2 */
        uint64_t connect_usec; /* of one try; 0: as long as bluetoothd tries itself */
        uint64_t search_usec;  /* to see the radio; 0: 15 s */
} BleOptions;

/* ble:ADDRESS, ble:NAME (with or without the "MeshCore-" in front) or ble: for the first companion radio
 * that is found. Uses a connection that exists, and leaves such a one as it was. Pairs when the bond has a
 * PIN, and repairs a stale one only on evidence; the state of bond follows. bond must outlive the link.
 * Opening may take a minute, as bluetoothd itself gives up an absent radio after 41 s. */
int link_new_ble(Bluez *bluez, Bond *bond, const char *target, const BleOptions *options,
                 const LinkHandler *handler, void *userdata, Link **ret);
/* For a link of link_new_ble() from opened() on: the address of the radio; "" before. */
const char *link_ble_address(const Link *link);
/* Of such a link that is open: asks the radio what it is, which changes nothing in it. Its answer is a frame.
 */
int link_ble_probe(Link *link);

/* Begins to open. Never calls the handler from inside; afterwards exactly one
 * of opened and closed comes first. Returns 0 or a negative errno, then
 * without a callback. The attempt ends by itself after 10 s, but see link_new_ble(). */
int link_open(Link *link);

/* Queues one frame of 1 to 176 bytes. Returns 0, -ENOTCONN, -EMSGSIZE, or
 * -ENOBUFS when more than 64 KiB wait to be written (a stalled peer). */
int link_send(Link *link, const uint8_t *frame, size_t size);

/* For people: what went wrong and, where that is known, what to do about it. From closed() on until
 * link_close(); before that "". The link itself logs nothing above debug, so
 * that each failure is logged once, by the one who knows how often it failed. */
const char *link_why(const Link *link);

/* Closes at once, calls nothing, frees. NULL is allowed; returns NULL. Safe
 * from inside a handler. */
Link *link_close(Link *link);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Link, link_close)
