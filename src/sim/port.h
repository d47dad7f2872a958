/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The radio's end of a byte stream, with the habits of the firmware's two
 * parsers (wire reference 1.2): the Wi-Fi one takes any three bytes for a
 * header and reads commands only while its send queue of four is empty, the
 * serial one looks for '<' and cuts frames that are too long. Over Bluetooth (1.3)
 * there are frames only, and a queue for each direction that loses what does not fit. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_BLE_ESP32_PAUSE_MS 60 /* between notifications, wire reference 1.3 */

typedef enum PortKind {
        PORT_WIFI,
        PORT_SERIAL,
        PORT_BLE_ESP32,
        PORT_BLE_NRF52,
        _PORT_KIND_MAX,
} PortKind;

typedef struct PortCallbacks {
        /* A command has arrived. */
        void (*command)(void *userdata, const uint8_t *frame, size_t size);
        /* A pass of the radio's main loop without a command; whether it did something. */
        bool (*step)(void *userdata);
        /* A frame goes out, header not included. */
        void (*emit)(void *userdata, const uint8_t *frame, size_t size);
        /* Whether emit() may be called: the radio waits for a slow line. */
        bool (*may_emit)(void *userdata);
} PortCallbacks;

typedef struct Port Port;

Port *port_new(PortKind kind, size_t frame_max, const PortCallbacks *callbacks, void *userdata);
Port *port_free(Port *port);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Port, port_free)

/* A client has come, in place of the one before if there was one; the frames
 * that were meant for that one stay in the queue. */
void port_connect(Port *port);
void port_disconnect(Port *port);
/* What the firmware believes: a serial line always has somebody at its end. */
bool port_is_connected(const Port *port);
/* Power cycle. */
void port_reset(Port *port);

/* Over Bluetooth data is one whole frame. */
void port_input(Port *port, const uint8_t *data, size_t size);

/* For the engine: false when the frame is lost. */
bool port_write_frame(Port *port, const uint8_t *frame, size_t size);

/* Runs the main loop until it has nothing to do or must wait for the line. */
void port_pump(Port *port);
