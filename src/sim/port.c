/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "macros.h"
#include "port.h"
#include "protocol.h"

#define WIFI_QUEUE_SIZE  4
#define ESP32_QUEUE_SIZE 4
#define NRF52_QUEUE_SIZE 12
#define NRF52_QUEUE_BUSY 8 /* a dump of contacts waits then */
#define QUEUE_SIZE_MAX   NRF52_QUEUE_SIZE

typedef struct PortFrame {
        uint8_t data[FRAME_SIZE_MAX];
        size_t size;
} PortFrame;

typedef enum SerialState {
        SERIAL_IDLE,
        SERIAL_LENGTH_LOW,
        SERIAL_LENGTH_HIGH,
        SERIAL_PAYLOAD,
} SerialState;

struct Port {
        PortKind kind;
        size_t frame_max;
        PortCallbacks callbacks;
        void *userdata;
        bool connected;
        GByteArray *input;

        /* Wi-Fi and Bluetooth */
        PortFrame queue[QUEUE_SIZE_MAX];
        size_t n_queue, queue_size;

        /* Bluetooth */
        PortFrame commands[QUEUE_SIZE_MAX];
        size_t n_commands;

        /* Wi-Fi */
        bool has_header;
        uint8_t marker;
        size_t length;

        /* serial */
        SerialState state;
        PortFrame frame;
        size_t received;
};

Port *port_new(PortKind kind, size_t frame_max, const PortCallbacks *callbacks, void *userdata) {
        static const size_t queue_sizes[_PORT_KIND_MAX] = {
                        [PORT_WIFI] = WIFI_QUEUE_SIZE,
                        [PORT_BLE_ESP32] = ESP32_QUEUE_SIZE,
                        [PORT_BLE_NRF52] = NRF52_QUEUE_SIZE,
        };
        Port *port = g_new0(Port, 1);

        port->kind = kind;
        port->queue_size = queue_sizes[kind];
        port->frame_max = frame_max;
        port->callbacks = *callbacks;
        port->userdata = userdata;
        port->input = g_byte_array_new();
        return port;
}

Port *port_free(Port *port) {
        if (!port)
                return NULL;

        g_byte_array_unref(port->input);
        g_free(port);
        return NULL;
}

static bool is_ble(const Port *port) {
        return port->kind == PORT_BLE_ESP32 || port->kind == PORT_BLE_NRF52;
}

void port_connect(Port *port) {
        port->connected = true;
        if (port->kind == PORT_WIFI) {
                g_byte_array_set_size(port->input, 0);
                port->has_header = false;
        }
}

void port_disconnect(Port *port) {
        port->connected = false;
        if (is_ble(port))
                port->n_queue = port->n_commands = 0;
        /* What a serial client sent before it left is still read. */
        if (port->kind == PORT_WIFI)
                g_byte_array_set_size(port->input, 0);
}

bool port_is_connected(const Port *port) {
        return port->kind == PORT_SERIAL || port->connected;
}

void port_reset(Port *port) {
        port->n_queue = port->n_commands = 0;
        port->has_header = false;
        port->state = SERIAL_IDLE;
        g_byte_array_set_size(port->input, 0);
}

void port_input(Port *port, const uint8_t *data, size_t size) {
        if (is_ble(port)) {
                PortFrame *command;

                if (size == 0 || size > port->frame_max || port->n_commands >= port->queue_size)
                        return;
                command = &port->commands[port->n_commands++];
                memcpy(command->data, data, size);
                command->size = size;
                return;
        }

        g_byte_array_append(port->input, data, (guint) size);
}

bool port_write_frame(Port *port, const uint8_t *frame, size_t size) {
        PortFrame *queued;

        if (size == 0 || size > port->frame_max)
                return false;

        if (port->kind == PORT_SERIAL) {
                port->callbacks.emit(port->userdata, frame, size);
                return true;
        }

        if (!port->connected || port->n_queue >= port->queue_size)
                return false;

        queued = &port->queue[port->n_queue++];
        memcpy(queued->data, frame, size);
        queued->size = size;
        return true;
}

static void consume(Port *port, size_t size) {
        g_byte_array_remove_range(port->input, 0, (guint) size);
}

/* Returns whether a frame was taken; *ret_progress also when bytes were only
 * thrown away. */
static bool read_wifi(Port *port, PortFrame *ret, bool *ret_progress) {
        if (!port->has_header && port->input->len >= STREAM_HEADER_SIZE) {
                port->marker = port->input->data[0];
                port->length = (size_t) (port->input->data[1] | port->input->data[2] << 8);
                /* A header of zeroes counts as none, and the next three bytes are tried. */
                port->has_header = port->marker != 0 && port->length != 0;
                consume(port, STREAM_HEADER_SIZE);
                *ret_progress = true;
        }

        if (!port->has_header || port->input->len < port->length)
                return false;

        port->has_header = false;
        *ret_progress = true;
        if (port->length > port->frame_max || port->marker != STREAM_MARKER_APP) {
                consume(port, port->length);
                return false;
        }

        memcpy(ret->data, port->input->data, port->length);
        ret->size = port->length;
        consume(port, port->length);
        return true;
}

/* Returns whether a frame is complete. */
static bool take_serial_byte(Port *port, uint8_t byte) {
        switch (port->state) {
        case SERIAL_IDLE:
                if (byte == STREAM_MARKER_APP)
                        port->state = SERIAL_LENGTH_LOW;
                return false;
        case SERIAL_LENGTH_LOW:
                port->length = byte;
                port->state = SERIAL_LENGTH_HIGH;
                return false;
        case SERIAL_LENGTH_HIGH:
                port->length |= (size_t) byte << 8;
                port->received = 0;
                port->state = port->length > 0 ? SERIAL_PAYLOAD : SERIAL_IDLE;
                return false;
        case SERIAL_PAYLOAD:
                if (port->received < port->frame_max)
                        port->frame.data[port->received] = byte;
                if (++port->received < port->length)
                        return false;
                port->state = SERIAL_IDLE;
                port->frame.size = MIN(port->length, port->frame_max);
                return true;
        default:
                g_assert_not_reached();
        }
}

static bool read_serial(Port *port, PortFrame *ret) {
        for (guint i = 0; i < port->input->len; i++)
                if (take_serial_byte(port, port->input->data[i])) {
                        consume(port, i + 1);
                        *ret = port->frame;
                        return true;
                }

        consume(port, port->input->len);
        return false;
}

static void send_next(Port *port) {
        PortFrame frame = port->queue[0];

        port->n_queue--;
        memmove(&port->queue[0], &port->queue[1], port->n_queue * sizeof(port->queue[0]));
        port->callbacks.emit(port->userdata, frame.data, frame.size);
}

static void take_command(Port *port) {
        PortFrame frame = port->commands[0];

        port->n_commands--;
        memmove(&port->commands[0], &port->commands[1], port->n_commands * sizeof(port->commands[0]));
        port->callbacks.command(port->userdata, frame.data, frame.size);
}

static bool pass_ble(Port *port) {
        bool may_emit = port->callbacks.may_emit(port->userdata), progress = false, busy;

        if (port->connected && port->n_queue > 0 && may_emit) {
                send_next(port);
                progress = true;
        }
        if (port->n_commands > 0) {
                take_command(port);
                return true;
        }

        busy = port->kind == PORT_BLE_ESP32 ? !port->callbacks.may_emit(port->userdata)
                                            : port->n_queue >= NRF52_QUEUE_BUSY;
        return (!busy && port->callbacks.step(port->userdata)) || progress;
}

/* One pass of the main loop. Returns whether anything happened. */
static bool pass(Port *port) {
        bool progress = false;
        PortFrame frame;

        if (port->kind == PORT_SERIAL) {
                if (read_serial(port, &frame)) {
                        port->callbacks.command(port->userdata, frame.data, frame.size);
                        return true;
                }
        } else if (port->connected) {
                if (port->n_queue > 0) {
                        send_next(port);
                        progress = true;
                } else if (read_wifi(port, &frame, &progress)) {
                        port->callbacks.command(port->userdata, frame.data, frame.size);
                        return true;
                }
        }

        return port->callbacks.step(port->userdata) || progress;
}

void port_pump(Port *port) {
        if (is_ble(port)) {
                while (pass_ble(port))
                        continue;
                return;
        }

        while (port->callbacks.may_emit(port->userdata) && pass(port))
                continue;
}
