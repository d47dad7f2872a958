/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench-radio.h"

#define LASTMOD_BASE 1700000000u

struct BenchRadio {
        int listener, fd;
        unsigned n_contacts;
        bench_next_message_t next;
        bench_dump_ends_t dump_ends;
        void *userdata;
        uint8_t buffer[8192];
        size_t filled;
        unsigned count[256];
        unsigned name;
};

BenchRadio *bench_radio_new(unsigned n_contacts, bench_next_message_t next, bench_dump_ends_t dump_ends,
                            void *userdata) {
        BenchRadio *radio = calloc(1, sizeof(*radio));
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

        if (!radio)
                err(1, "calloc");
        *radio = (BenchRadio){.fd = -1,
                              .n_contacts = n_contacts,
                              .name = 0x42,
                              .next = next,
                              .dump_ends = dump_ends,
                              .userdata = userdata};
        radio->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (radio->listener < 0 || bind(radio->listener, (struct sockaddr *) &address, sizeof(address)) < 0 ||
            listen(radio->listener, 4) < 0)
                err(1, "listen");
        return radio;
}

BenchRadio *bench_radio_free(BenchRadio *radio) {
        if (!radio)
                return NULL;

        if (radio->fd >= 0)
                close(radio->fd);
        close(radio->listener);
        free(radio);
        return NULL;
}

void bench_radio_set_name(BenchRadio *radio, unsigned name) {
        radio->name = name;
}

unsigned bench_radio_port(const BenchRadio *radio) {
        struct sockaddr_in address;
        socklen_t size = sizeof(address);

        if (getsockname(radio->listener, (struct sockaddr *) &address, &size) < 0)
                err(1, "getsockname");
        return ntohs(address.sin_port);
}

int bench_radio_fd(const BenchRadio *radio) {
        return radio->fd;
}

unsigned bench_radio_count(const BenchRadio *radio, uint8_t code) {
        return radio->count[code];
}

void bench_radio_accept(BenchRadio *radio) {
        if (radio->fd >= 0)
                close(radio->fd);
        radio->fd = accept4(radio->listener, NULL, NULL, SOCK_CLOEXEC);
        if (radio->fd < 0)
                err(1, "accept");
        setsockopt(radio->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        radio->filled = 0;
}

static void write_all(BenchRadio *radio, const uint8_t *data, size_t size) {
        while (size > 0) {
                ssize_t n = send(radio->fd, data, size, MSG_NOSIGNAL);

                if (n < 0)
                        err(1, "send");
                data += n;
                size -= (size_t) n;
        }
}

static size_t put_frame(uint8_t *out, const uint8_t *frame, size_t size) {
        out[0] = '>';
        out[1] = (uint8_t) size;
        out[2] = (uint8_t) (size >> 8);
        memcpy(out + 3, frame, size);
        return size + 3;
}

void bench_radio_send(BenchRadio *radio, const uint8_t *frame, size_t size) {
        uint8_t out[BENCH_FRAME_MAX + 3];

        write_all(radio, out, put_frame(out, frame, size));
}

static void put_u32(uint8_t *p, uint32_t value) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t) (value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p) {
        return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static void put_key(uint8_t key[32], unsigned contact) {
        memset(key, 0x5A, 32);
        key[0] = 0x11;
        put_u32(key + 1, contact);
}

size_t bench_radio_text(uint8_t frame[BENCH_FRAME_MAX], unsigned sender, uint32_t timestamp,
                        const char *text) {
        uint8_t key[32];
        size_t size = strnlen(text, BENCH_FRAME_MAX - 16);

        put_key(key, sender);
        memset(frame, 0, 16);
        frame[0] = 16;
        frame[1] = 0x25; /* SNR × 4 */
        memcpy(frame + 4, key, 6);
        frame[10] = 0xFF; /* direct */
        put_u32(frame + 12, timestamp);
        memcpy(frame + 16, text, size);
        return 16 + size;
}

static void answer_contacts(BenchRadio *radio, uint32_t since) {
        size_t room = (size_t) radio->n_contacts * 151 + 64, size = 0, last;
        uint8_t *out = malloc(room), frame[148];
        uint32_t newest = 0;

        if (!out)
                err(1, "malloc");

        frame[0] = 2;
        put_u32(frame + 1, radio->n_contacts);
        size += put_frame(out, frame, 5);
        for (unsigned i = 0; i < radio->n_contacts; i++) {
                if (LASTMOD_BASE + i <= since)
                        continue;
                newest = LASTMOD_BASE + i;
                memset(frame, 0, sizeof(frame));
                frame[0] = 3;
                put_key(frame + 1, i);
                frame[33] = 1;
                frame[35] = 0xFF;
                snprintf((char *) frame + 100, 32, "Contact %u", i);
                put_u32(frame + 132, LASTMOD_BASE);
                put_u32(frame + 136, 48100000 + i);
                put_u32(frame + 140, 11500000 + i);
                put_u32(frame + 144, newest);
                size += put_frame(out + size, frame, sizeof(frame));
        }
        last = size;
        frame[0] = 4;
        put_u32(frame + 1, newest);
        size += put_frame(out + size, frame, 5);

        write_all(radio, out, last);
        if (radio->dump_ends)
                radio->dump_ends(radio, radio->userdata);
        write_all(radio, out + last, size - last);
        free(out);
}

static void answer_device_query(BenchRadio *radio) {
        uint8_t frame[82] = {13, 13, 255, 40};

        memcpy(frame + 8, "1 Jan 2026", 10);
        memcpy(frame + 20, "Bench", 5);
        memcpy(frame + 60, "v1.17.1", 7);
        bench_radio_send(radio, frame, sizeof(frame));
}

static void answer_app_start(BenchRadio *radio) {
        uint8_t frame[63] = {5, 1, 22, 22};

        memset(frame + 4, (int) radio->name, 32);
        put_u32(frame + 48, 869618);
        put_u32(frame + 52, 62500);
        frame[56] = 8;
        frame[57] = 5;
        memcpy(frame + 58, "Bench", 5);
        bench_radio_send(radio, frame, sizeof(frame));
}

static void answer_channel(BenchRadio *radio, uint8_t slot) {
        static const uint8_t secret[16] = {0x8b, 0x33, 0x87, 0xe9, 0xc5, 0xcd, 0xea, 0x6a,
                                           0xc9, 0xe5, 0xed, 0xba, 0xa1, 0x15, 0xcd, 0x72};
        uint8_t frame[50] = {18, slot};

        if (slot == 0) {
                memcpy(frame + 2, "Public", 6);
                memcpy(frame + 34, secret, sizeof(secret));
        }
        bench_radio_send(radio, frame, sizeof(frame));
}

static void answer_next_message(BenchRadio *radio) {
        uint8_t frame[BENCH_FRAME_MAX];
        size_t size = radio->next ? radio->next(radio, frame, radio->userdata) : 0;

        if (size == 0) {
                frame[0] = 10;
                size = 1;
        }
        bench_radio_send(radio, frame, size);
}

static void answer(BenchRadio *radio, const uint8_t *command, size_t size) {
        uint8_t frame[16] = {0};

        radio->count[command[0]]++;
        switch (command[0]) {
        case 1:
                return answer_app_start(radio);
        case 4:
                return answer_contacts(radio, size >= 5 ? get_u32(command + 1) : 0);
        case 5:
                frame[0] = 9;
                put_u32(frame + 1, (uint32_t) time(NULL));
                return bench_radio_send(radio, frame, 5);
        case 10:
                return answer_next_message(radio);
        case 20:
                frame[0] = 12;
                frame[1] = 0xA0;
                frame[2] = 0x0F;
                return bench_radio_send(radio, frame, 11);
        case 22:
                return answer_device_query(radio);
        case 31:
                return answer_channel(radio, size >= 2 ? command[1] : 0);
        case 6:
        case 54:
                return bench_radio_send(radio, frame, 1); /* OK */
        default:
                frame[0] = 1;
                frame[1] = 1; /* unsupported */
                return bench_radio_send(radio, frame, 2);
        }
}

bool bench_radio_serve(BenchRadio *radio) {
        size_t used = 0;
        ssize_t n;

        n = recv(radio->fd, radio->buffer + radio->filled, sizeof(radio->buffer) - radio->filled, 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
                return false;
        if (n < 0)
                err(1, "recv");
        radio->filled += (size_t) n;

        while (radio->filled - used >= 3) {
                const uint8_t *p = radio->buffer + used;
                size_t size = (size_t) (p[1] | p[2] << 8);

                if (p[0] != '<' || size == 0 || size > BENCH_FRAME_MAX)
                        errx(1, "the daemon sent a bad frame header");
                if (radio->filled - used < 3 + size)
                        break;
                answer(radio, p + 3, size);
                used += 3 + size;
        }
        memmove(radio->buffer, radio->buffer + used, radio->filled - used);
        radio->filled -= used;
        return true;
}
