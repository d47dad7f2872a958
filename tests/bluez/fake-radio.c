/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake-bluez-internal.h"

/* Connecting, pairing, reading and writing, as BlueZ 5.66 does it with a MeshCore radio. */

#define CMD_DEVICE_QUERY 0x16
#define RESP_DEVICE_INFO 0x0D

void fake_news(FakeRadio *radio, const char *text) {
        if (radio->fake->on_news)
                radio->fake->on_news(radio, text, radio->fake->userdata);
}

/* -- connecting -------------------------------------------------------------------- */

static void answer_connect(FakeRadio *radio, const char *text) {
        g_autoptr(sd_bus_message) call = g_steal_pointer(&radio->connecting);

        if (!call)
                return;
        if (text)
                fake_reply_error(radio->fake, call, FAKE_ERROR("Failed"), text);
        else
                fake_reply(radio->fake, call, NULL);
}

static void resolve(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_resolved(radio, true);
}

static void drop(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Timeout");
}

static void resolve_from_memory(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_resolved(radio, true);
        fake_after(fake, fake->times.leave, drop, radio, NULL);
}

static void drop_key_missing(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Authentication");
}

static void retry(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, true, NULL);
        fake_after(fake, fake->times.drop, drop_key_missing, radio, NULL);
}

/* bluetoothd tries once more by itself. */
static void drop_and_retry(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        drop_key_missing(fake, radio, NULL);
        if (!fake->modern)
                fake_after(fake, fake->times.retry, retry, radio, NULL);
}

static void refuse_wrong_key(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        answer_connect(radio, "le-connection-abort-by-local");
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Timeout");
}

/* A link is there. */
static void connected(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, true, NULL);
        if (radio->mute) {
                answer_connect(radio, NULL);
                fake_after(fake, fake->times.mute, resolve_from_memory, radio, NULL);
        } else if (radio->paired && radio->key == FAKE_KEY_NONE) {
                answer_connect(radio, fake->modern ? "le-connection-key-missing" : NULL);
                fake_after(fake, fake->times.drop, drop_and_retry, radio, NULL);
        } else if (radio->paired && radio->key == FAKE_KEY_OTHER)
                fake_after(fake, fake->times.wrong_key, refuse_wrong_key, radio, NULL);
        else {
                answer_connect(radio, NULL);
                if (radio->paired)
                        fake_news(radio, "encrypted");
                fake_after(fake, fake->times.resolve, resolve, radio, NULL);
        }
}

static void give_up(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        answer_connect(radio, "le-connection-abort-by-local");
}

static bool misses(FakeRadio *radio) {
        if (radio->n_missed == 0)
                return false;
        radio->n_missed--;
        return true;
}

static void connect_device(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (!radio->adapter->powered)
                fake_reply_error(fake, call, FAKE_ERROR("Failed"), "Input/output error");
        else if (radio->connected)
                fake_reply(fake, call, NULL);
        else if (radio->connecting)
                fake_reply_error(fake, call, FAKE_ERROR("InProgress"), "In Progress");
        else {
                radio->connecting = sd_bus_message_ref(call);
                if (misses(radio))
                        fake_after(fake, fake->times.connect, give_up, radio, NULL);
                else if (radio->near)
                        fake_after(fake, fake->times.connect, connected, radio, NULL);
                else
                        fake_after(fake, fake->times.absent, give_up, radio, NULL);
        }
}

static void left(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Local");
        fake_reply(fake, call, NULL);
}

static void disconnect_device(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->connecting) {
                fake_steps_drop(fake, radio, NULL);
                answer_connect(radio, "le-connection-abort-by-local");
        }
        if (radio->connected)
                fake_after(fake, fake->times.leave, left, radio, call);
        else
                fake_reply(fake, call, NULL);
}

/* -- pairing -------------------------------------------------------------------------- */

static void pair_failed(FakeRadio *radio, const char *error, const char *text) {
        g_autoptr(sd_bus_message) call = g_steal_pointer(&radio->pairing);

        radio->auto_pairing = false;
        if (call)
                fake_reply_error(radio->fake, call, error, text);
}

static void authentication_failed(FakeRadio *radio) {
        pair_failed(radio, FAKE_ERROR("AuthenticationFailed"), "Authentication Failed");
        fake_after(radio->fake, radio->fake->times.drop, drop, radio, NULL);
}

static void pair_timed_out(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Timeout"); /* cancels the pairing */
}

static void paired(FakeBluez *fake, FakeRadio *radio, sd_bus_message *unused) {
        g_autoptr(sd_bus_message) call = g_steal_pointer(&radio->pairing);

        radio->auto_pairing = false;
        radio->key = FAKE_KEY_GOOD;
        fake_news(radio, "encrypted");
        if (radio->legacy) {
                fake_changed(fake, radio->path, DEVICE, "Bonded", "b", 1);
                fake_radio_set_resolved(radio, true);
        } else
                fake_after(fake, fake->times.resolve, resolve, radio, NULL);
        fake_radio_set_paired(radio, true);
        if (call)
                fake_reply(fake, call, NULL);
}

static int on_passkey(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        FakeRadio *radio = userdata;
        uint32_t passkey = 0;

        if (!radio->pairing && !radio->auto_pairing)
                return 0;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            (!radio->just_works && !radio->compares &&
             (sd_bus_message_read(reply, "u", &passkey) < 0 || passkey != radio->pin))) {
                fake_news(radio, "wrong passkey");
                authentication_failed(radio);
        } else
                fake_after(radio->fake, radio->fake->times.resolve, paired, radio, NULL);
        return 0;
}

/* sender NULL: the default agent, which is the first one. */
static void ask_agent(FakeRadio *radio, const char *sender) {
        FakeBluez *fake = radio->fake;
        const FakeAgent *agent = NULL;
        sd_bus_message *m = NULL;
        char name[32];

        for (guint i = 0; i < fake->agents->len && !agent; i++) {
                const FakeAgent *a = fake->agents->pdata[i];

                if (!sender || strcmp(a->sender, sender) == 0)
                        agent = a;
        }
        if (!agent) {
                authentication_failed(radio);
                return;
        }

        radio->n_asked++;
        OK(sd_bus_message_new_method_call(fake->bus, &m, agent->sender ?: FAKE_CLIENT, agent->path,
                                          "org.bluez.Agent1",
                                          radio->just_works ? "RequestAuthorization"
                                          : radio->compares ? "RequestConfirmation"
                                                            : "RequestPasskey"));
        OK(sd_bus_message_append(m, "o", radio->path));
        if (radio->compares)
                OK(sd_bus_message_append(m, "u", 123456));
        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        fake_call_as(fake, name, m, on_passkey, radio);
        if (radio->loses_pairing)
                fake_after(fake, 0, pair_timed_out, radio, NULL);
}

static void begin_pairing(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        const char *sender = radio->pairing ? sd_bus_message_get_sender(radio->pairing) ?: "" : NULL;

        if (!radio->pairing && !radio->auto_pairing)
                return;
        if (radio->refuses)
                authentication_failed(radio);
        else if (radio->pairs_silently)
                fake_after(fake, fake->times.pair_silent, pair_timed_out, radio, NULL);
        else
                ask_agent(radio, fake->real ? sender : NULL);
}

static void connected_to_pair(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (!radio->pairing) /* cancelled meanwhile */
                return;
        if (!radio->near || misses(radio)) {
                pair_failed(radio, FAKE_ERROR("ConnectionAttemptFailed"), "Page Timeout");
                return;
        }
        fake_radio_set_connected(radio, true, NULL);
        begin_pairing(fake, radio, NULL);
}

static void pair_device(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->pairing) {
                fake_reply_error(fake, call, FAKE_ERROR("InProgress"), "In Progress");
                return;
        }
        radio->pairing = sd_bus_message_ref(call);
        if (radio->paired)
                return; /* takes the BR/EDR bearer, and never answers */
        if (radio->connected)
                begin_pairing(fake, radio, NULL);
        else
                fake_after(fake, radio->near ? fake->times.connect : fake->times.absent, connected_to_pair,
                           radio, NULL);
}

static void cancel_pairing(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        if (radio->pairing) {
                pair_failed(radio, FAKE_ERROR("AuthenticationCanceled"), "Authentication Canceled");
                fake_reply(fake, call, NULL);
                return;
        }
        /* costs link and key although it says no */
        fake_reply_error(fake, call, FAKE_ERROR("DoesNotExist"), "Does Not Exist");
        if (radio->connected && radio->paired) {
                radio->key = FAKE_KEY_NONE;
                fake_radio_set_connected(radio, false, "org.bluez.Reason.Local");
        }
}

void fake_radio_cancel_pairing(FakeRadio *radio) {
        fake_steps_drop(radio->fake, radio, pair_timed_out);
        pair_failed(radio, FAKE_ERROR("AuthenticationCanceled"), "Authentication Canceled");
}

void fake_radio_request_security(FakeRadio *radio) {
        if (radio->paired || radio->pairing || radio->auto_pairing)
                return;
        radio->auto_pairing = true;
        begin_pairing(radio->fake, radio, NULL);
}

void fake_radio_lose_adapter(FakeRadio *radio) {
        fake_steps_drop(radio->fake, radio, NULL);
        answer_connect(radio, "le-connection-abort-by-local");
        if (!radio->connected)
                pair_failed(radio, FAKE_ERROR("AuthenticationCanceled"), "Authentication Canceled");
        fake_radio_set_connected(radio, false, "org.bluez.Reason.Local");
}

void fake_device_call(FakeBluez *fake, FakeRadio *radio, const char *member, sd_bus_message *call) {
        if (strcmp(member, "Connect") == 0)
                connect_device(fake, radio, call);
        else if (strcmp(member, "Disconnect") == 0)
                disconnect_device(fake, radio, call);
        else if (strcmp(member, "Pair") == 0)
                pair_device(fake, radio, call);
        else if (strcmp(member, "CancelPairing") == 0)
                cancel_pairing(fake, radio, call);
        else
                fake_reply_error(fake, call, SD_BUS_ERROR_UNKNOWN_METHOD, "No such method");
}

/* -- characteristics ---------------------------------------------------------------------- */

void fake_radio_notify(FakeRadio *radio, const void *frame, size_t size) {
        if (radio->notify_fd >= 0)
                (void) send(radio->notify_fd, frame, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void fake_radio_end_notify(FakeRadio *radio) {
        if (radio->notify_fd >= 0)
                (void) close(radio->notify_fd);
        radio->notify_fd = -1;
}

bool fake_radio_is_given_back(FakeRadio *radio) {
        char byte;

        return radio->notify_fd < 0 || recv(radio->notify_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool answer_oddly(FakeBluez *fake, sd_bus_message *call) {
        int fd;

        switch (fake->odd_notify) {
        case 0:
                return false;
        case 1:
                fake_reply(fake, call, NULL);
                return true;
        case 2:
                fake_reply(fake, call, "ss", "no", "descriptor");
                return true;
        default:
                fd = open("/dev/null", O_RDWR | O_CLOEXEC);
                fake_reply(fake, call, "hq", fd, 176u);
                (void) close(fd);
                return true;
        }
}

static void acquire_notify(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        int fds[2];

        if (fake_radio_is_given_back(radio))
                fake_radio_end_notify(radio);
        if (answer_oddly(fake, call))
                return;
        if (!radio->connected) {
                fake_reply_error(fake, call, FAKE_ERROR("Failed"), "Not connected");
                return;
        }
        if (radio->notify_fd >= 0) {
                fake_reply_error(fake, call, FAKE_ERROR("NotPermitted"), "Notify acquired");
                return;
        }
        if (radio->refuses_notify || (!radio->paired && !radio->open_notify)) {
                fake_reply_error(fake, call, FAKE_ERROR("NotPermitted"), "Not paired");
                return;
        }

        g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        radio->notify_fd = fds[0];
        fake_news(radio, "subscribed 1");
        fake_reply(fake, call, "hq", fds[1], (unsigned) radio->mtu);
        (void) close(fds[1]);
}

static void answer_frame(FakeRadio *radio, const uint8_t *frame, size_t size) {
        FakeBluez *fake = radio->fake;
        uint8_t info[80] = {RESP_DEVICE_INFO, 8, 100, 8};

        if (fake->on_write)
                fake->on_write(radio, frame, size, fake->userdata);
        else if (size > 0 && frame[0] == CMD_DEVICE_QUERY)
                fake_radio_notify(radio, info, sizeof(info));
}

static void take_write(FakeRadio *radio, const void *frame, size_t size) {
        g_byte_array_set_size(radio->written, 0);
        g_byte_array_append(radio->written, frame, (guint) size);
        radio->n_written++;
        if (!radio->mute)
                answer_frame(radio, frame, size);
}

void fake_radio_end_write(FakeRadio *radio) {
        radio->writes = sd_event_source_disable_unref(radio->writes);
        if (radio->write_fd >= 0)
                (void) close(radio->write_fd);
        radio->write_fd = -1;
}

static int on_write(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        FakeRadio *radio = userdata;
        uint8_t frame[600];
        ssize_t n = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);

        if (n <= 0)
                fake_radio_end_write(radio);
        else
                take_write(radio, frame, (size_t) n);
        return 0;
}

static void acquire_write(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        int fds[2];

        if (!radio->connected || radio->no_write_command) {
                fake_reply_error(fake, call,
                                 radio->connected ? FAKE_ERROR("NotSupported") : FAKE_ERROR("Failed"), "No");
                return;
        }

        g_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) >= 0);
        radio->write_fd = fds[0];
        OK(sd_event_add_io(fake->event, &radio->writes, fds[0], EPOLLIN, on_write, radio));
        fake_reply(fake, call, "hq", fds[1], (unsigned) radio->mtu);
        (void) close(fds[1]);
}

static void write_value(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        const void *frame;
        size_t size;

        if (!radio->connected) {
                fake_reply_error(fake, call, FAKE_ERROR("Failed"), "Not connected");
                return;
        }
        if (radio->write_fd >= 0) {
                fake_reply_error(fake, call, FAKE_ERROR("NotPermitted"), "Write acquired");
                return;
        }
        if (radio->refuses_write) {
                fake_reply_error(fake, call, FAKE_ERROR("NotPermitted"), "Not paired");
                return;
        }

        OK(sd_bus_message_read_array(call, 'y', &frame, &size));
        fake_reply(fake, call, NULL);
        take_write(radio, frame, size);
}

void fake_characteristic_call(FakeBluez *fake, FakeRadio *radio, const char *member, sd_bus_message *call) {
        bool tx = g_str_has_suffix(sd_bus_message_get_path(call), "char0013");

        if (strcmp(member, "AcquireNotify") == 0 && tx)
                acquire_notify(fake, radio, call);
        else if (strcmp(member, "WriteValue") == 0 && !tx)
                write_value(fake, radio, call);
        else if (strcmp(member, "AcquireWrite") == 0 && !tx)
                acquire_write(fake, radio, call);
        else
                fake_reply_error(fake, call, FAKE_ERROR("NotSupported"), "Operation is not supported");
}
