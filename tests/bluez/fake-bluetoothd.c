/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake-bluez.h"
#include "hex.h"
#include "macros.h"

/* The fake as org.bluez on a real bus, driven over a socket in the manner of tests/lab/vradio: a command a
 * line,
 * "@1 " in front for the second radio; "ok" or "error …" comes back, and "= …" lines before it where there is
 * something to show. What happens in the air goes to everybody as "! 0 rx HEX", so that meshcore-sim --vradio
 * can be the radio.
 *
 *   fake-bluetoothd BUS-ADDRESS SOCKET
 */

#define LINE_SIZE 65536

typedef struct Client {
        struct Program *program;
        int fd;
        sd_event_source *source;
        GString *input;
} Client;

typedef struct Program {
        FakeBluez *fake;
        GPtrArray *clients;
} Program;

/* -- telling -------------------------------------------------------------------------- */

static void say(Client *client, const char *text) {
        g_autofree char *line = g_strconcat(text, "\n", NULL);

        (void) send(client->fd, line, strlen(line), MSG_NOSIGNAL);
}

static void tell_all(FakeRadio *radio, const char *text, void *userdata) {
        Program *p = userdata;
        g_autofree char *line = NULL;
        guint n = 0;

        while (p->fake->radios->pdata[n] != radio)
                n++;
        line = g_strdup_printf("! %u %s", n, text);
        for (guint i = 0; i < p->clients->len; i++)
                say(p->clients->pdata[i], line);
}

static void on_write(FakeRadio *radio, const uint8_t *frame, size_t size, void *userdata) {
        g_autofree char *hex = hex_dup(frame, size), *text = g_strconcat("rx ", hex, NULL);

        tell_all(radio, text, userdata);
}

/* -- commands ------------------------------------------------------------------------------ */

static FakeAdapter *find_adapter(FakeBluez *fake, const char *name) {
        for (guint i = 0; i < fake->adapters->len; i++) {
                FakeAdapter *adapter = fake->adapters->pdata[i];

                if (g_str_has_suffix(adapter->path, name))
                        return adapter;
        }
        return NULL;
}

static bool set_radio(FakeRadio *radio, const char *key, const char *value) {
        const struct {
                const char *key;
                bool *flag;
        } flags[] = {
                        {"near", &radio->near},
                        {"no-uart", &radio->no_uart},
                        {"advertise", &radio->near},
                        {"mute", &radio->mute},
                        {"refuses", &radio->refuses},
                        {"just-works", &radio->just_works},
                        {"loses-pairing", &radio->loses_pairing},
                        {"pairs-silently", &radio->pairs_silently},
                        {"refuses-notify", &radio->refuses_notify},
                        {"refuses-write", &radio->refuses_write},
                        {"known", &radio->known},
                        {"rssi", &radio->has_rssi},
                        {"trusted", &radio->trusted},
                        {"connected", &radio->connected},
                        {"resolved", &radio->resolved},
        };

        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (strcmp(flags[i].key, key) == 0) {
                        *flags[i].flag = *value != '0';
                        return true;
                }
        if (strcmp(key, "pin") == 0)
                radio->pin = (uint32_t) strtoul(value, NULL, 10);
        else if (strcmp(key, "mtu") == 0)
                radio->mtu = (uint16_t) strtoul(value, NULL, 10);
        else if (strcmp(key, "key") == 0)
                radio->key = *value == 'n' ? FAKE_KEY_NONE : *value == 'g' ? FAKE_KEY_GOOD : FAKE_KEY_OTHER;
        else
                return false;
        return true;
}

static bool set_time(FakeTimes *times, const char *key, const char *value) {
        const struct {
                const char *key;
                uint64_t *usec;
        } all[] = {
                        {"discover", &times->discover}, {"connect", &times->connect},
                        {"resolve", &times->resolve},   {"absent", &times->absent},
                        {"drop", &times->drop},         {"retry", &times->retry},
                        {"leave", &times->leave},       {"pair-silent", &times->pair_silent},
        };

        for (size_t i = 0; i < ELEMENTSOF(all); i++)
                if (strcmp(all[i].key, key) == 0) {
                        *all[i].usec = strtoull(value, NULL, 10);
                        return true;
                }
        return false;
}

/* Everything that a tool may not touch when it only looks. */
static void show_state(Program *p, Client *client) {
        for (guint i = 0; i < p->fake->adapters->len; i++) {
                const FakeAdapter *a = p->fake->adapters->pdata[i];
                g_autofree char *line = g_strdup_printf("= %s powered=%i pairable=%i discovering=%u", a->path,
                                                        a->powered, a->pairable, a->n_discovering);

                say(client, line);
        }
        for (guint i = 0; i < p->fake->radios->len; i++) {
                const FakeRadio *r = p->fake->radios->pdata[i];
                g_autofree char *line =
                                g_strdup_printf("= %s known=%i paired=%i trusted=%i connected=%i resolved=%i "
                                                "key=%i asked=%u agents=%u",
                                                r->path, r->known, r->paired, r->trusted, r->connected,
                                                r->resolved, (int) r->key, r->n_asked, p->fake->agents->len);

                say(client, line);
        }
}

static bool radio_command(Program *p, FakeRadio *radio, char **words, guint n) {
        const char *verb = words[0];
        uint8_t frame[512];
        int size;

        if (strcmp(verb, "set") == 0 && n == 3)
                return set_radio(radio, words[1], words[2]);
        if (strcmp(verb, "bond") == 0)
                fake_radio_bond(radio);
        else if (strcmp(verb, "drop") == 0)
                fake_radio_set_connected(radio, false, NULL);
        else if (strcmp(verb, "connect") == 0) {
                fake_radio_set_connected(radio, true, NULL);
                if (radio->key == FAKE_KEY_GOOD)
                        tell_all(radio, "encrypted", p);
                fake_radio_set_resolved(radio, true);
        } else if (strcmp(verb, "discover") == 0)
                fake_radio_discover(radio);
        else if (strcmp(verb, "cancel") == 0)
                fake_radio_cancel_pairing(radio);
        else if (strcmp(verb, "secreq") == 0)
                fake_radio_request_security(radio);
        else if (strcmp(verb, "remove") == 0)
                fake_radio_remove(radio);
        else if (strcmp(verb, "notify") == 0 && n == 2) {
                size = hex_decode(words[1], strlen(words[1]), frame, sizeof(frame));
                if (size < 0)
                        return false;
                fake_radio_notify(radio, frame, (size_t) size);
        } else
                return false;
        return true;
}

static bool common_command(Program *p, Client *client, char **words, guint n) {
        FakeBluez *fake = p->fake;
        const char *verb = words[0];
        FakeAdapter *adapter = n > 1 ? find_adapter(fake, words[1]) : NULL;

        if (strcmp(verb, "adapter") == 0 && n == 3)
                (void) fake_adapter_add(fake, words[1], words[2]);
        else if (strcmp(verb, "radio") == 0 && n == 4 && adapter)
                (void) fake_radio_add(adapter, words[2], words[3]);
        else if (strcmp(verb, "power") == 0 && n == 3 && adapter)
                fake_adapter_set_powered(adapter, *words[2] != '0');
        else if (strcmp(verb, "present") == 0 && n == 3 && adapter)
                fake_adapter_set_present(adapter, *words[2] != '0');
        else if (strcmp(verb, "fail") == 0 && n == 4)
                fake_fail(fake, words[1], words[2], words[3]);
        else if (strcmp(verb, "silence") == 0 && n == 2)
                fake_silence(fake, words[1]);
        else if (strcmp(verb, "crash-in") == 0 && n == 2)
                fake_crash_in(fake, words[1]);
        else if (strcmp(verb, "heal") == 0 && n == 2)
                fake_heal(fake, words[1]);
        else if (strcmp(verb, "crash") == 0)
                fake_crash(fake);
        else if (strcmp(verb, "start") == 0)
                fake_start(fake);
        else if (strcmp(verb, "modern") == 0 && n == 2)
                fake->modern = *words[1] != '0';
        else if (strcmp(verb, "simulated") == 0)
                fake->on_write = on_write;
        else if (strcmp(verb, "time") == 0 && n == 3)
                return set_time(&fake->times, words[1], words[2]);
        else if (strcmp(verb, "clear") == 0)
                fake_log_clear(fake);
        else if (strcmp(verb, "state") == 0)
                show_state(p, client);
        else if (strcmp(verb, "log") == 0)
                for (guint i = 0; i < fake->log->len; i++) {
                        g_autofree char *line = g_strconcat("= ", fake->log->pdata[i], NULL);

                        say(client, line);
                }
        else
                return false;
        return true;
}

static void run_command(Program *p, Client *client, char *line) {
        g_auto(GStrv) words = NULL;
        FakeRadio *radio;
        guint index = 0;
        int n = 0;

        if (line[0] == '@') {
                index = (guint) strtoul(line + 1, &line, 10);
                line += strspn(line, " ");
        }
        if (!g_shell_parse_argv(line, &n, &words, NULL)) {
                say(client, "error syntax");
                return;
        }
        radio = index < p->fake->radios->len ? p->fake->radios->pdata[index] : NULL;
        if (common_command(p, client, words, (guint) n) ||
            (radio && radio_command(p, radio, words, (guint) n)))
                say(client, "ok");
        else
                say(client, "error no such command");
}

/* -- the socket --------------------------------------------------------------------------------- */

static void client_free(void *pointer) {
        Client *client = pointer;

        sd_event_source_disable_unref(client->source);
        (void) close(client->fd);
        g_string_free(client->input, true);
        g_free(client);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Client *client = userdata;
        char data[4096], *end;
        ssize_t n;

        n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0 || client->input->len > LINE_SIZE) {
                (void) g_ptr_array_remove(client->program->clients, client);
                return 0;
        }

        g_string_append_len(client->input, data, n);
        while ((end = strchr(client->input->str, '\n'))) {
                g_autofree char *line = g_strndup(client->input->str, (gsize) (end - client->input->str));

                g_string_erase(client->input, 0, (gssize) strlen(line) + 1);
                run_command(client->program, client, line);
        }
        return 0;
}

static int on_client(sd_event_source *source, int listener, uint32_t revents, void *userdata) {
        Program *p = userdata;
        Client *client;
        int fd;

        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
                return 0;
        client = g_new(Client, 1);
        *client = (Client){.program = p, .fd = fd, .input = g_string_new(NULL)};
        g_ptr_array_add(p->clients, client);
        return sd_event_add_io(p->fake->event, &client->source, fd, EPOLLIN, on_input, client);
}

static int listen_at(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd;

        if (g_strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 8) < 0)
                return -errno;
        return fd;
}

int main(int argc, char **argv) {
        Program p = {.clients = g_ptr_array_new_with_free_func(client_free)};
        sd_event_source *listening = NULL;
        sd_event *event = NULL;
        sigset_t signals;
        int fd, r;

        if (argc != 3) {
                (void) fprintf(stderr, "usage: fake-bluetoothd BUS-ADDRESS SOCKET\n");
                return EXIT_FAILURE;
        }

        (void) sigemptyset(&signals);
        (void) sigaddset(&signals, SIGTERM);
        (void) sigprocmask(SIG_BLOCK, &signals, NULL);
        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        fd = r < 0 ? r : listen_at(argv[2]);
        if (fd >= 0)
                r = sd_event_add_io(event, &listening, fd, EPOLLIN, on_client, &p);
        if (r < 0 || fd < 0) {
                (void) fprintf(stderr, "fake-bluetoothd: %s\n", g_strerror(fd < 0 ? -fd : -r));
                return EXIT_FAILURE;
        }

        p.fake = fake_bluez_new_on_bus(event, argv[1]);
        p.fake->on_news = tell_all;
        p.fake->userdata = &p;
        (void) puts("ready");
        (void) fflush(stdout);
        r = sd_event_loop(event);

        g_ptr_array_unref(p.clients);
        fake_bluez_free(p.fake);
        sd_event_source_disable_unref(listening);
        (void) close(fd);
        sd_event_unref(event);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
