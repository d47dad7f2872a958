/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake-bluez-internal.h"

/* The bus, the answers, time and faults. */

#define BLUEZ         "org.bluez"
#define DBUS          "org.freedesktop.DBus"
#define MEMBER_LENGTH 64

typedef struct Step {
        FakeBluez *fake;
        sd_event_source *timer;
        fake_step_t run;
        FakeRadio *radio;
        sd_bus_message *call;
} Step;

typedef enum FaultKind { FAULT_ERROR, FAULT_SILENCE, FAULT_CRASH, FAULT_DELAY } FaultKind;

typedef struct Fault {
        char *member;
        FaultKind kind;
        char *error, *text;
        uint64_t usec;
} Fault;

/* -- time ----------------------------------------------------------------------- */

static void step_free(void *p) {
        Step *step = p;

        sd_event_source_disable_unref(step->timer);
        sd_bus_message_unref(step->call);
        g_free(step);
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata) {
        Step *step = userdata;
        FakeBluez *fake = step->fake;
        FakeRadio *radio = step->radio;
        fake_step_t run = step->run;
        g_autoptr(sd_bus_message) call = sd_bus_message_ref(step->call);

        (void) g_ptr_array_remove(fake->steps, step);
        run(fake, radio, call);
        return 0;
}

void fake_after(FakeBluez *fake, uint64_t usec, fake_step_t run, FakeRadio *radio, sd_bus_message *call) {
        Step *step = g_new(Step, 1);

        *step = (Step){.fake = fake, .run = run, .radio = radio, .call = sd_bus_message_ref(call)};
        OK(sd_event_add_time_relative(fake->event, &step->timer, CLOCK_MONOTONIC, usec, 1, on_step, step));
        g_ptr_array_add(fake->steps, step);
}

void fake_steps_drop(FakeBluez *fake, FakeRadio *radio, fake_step_t run) {
        for (guint i = fake->steps->len; i > 0; i--) {
                const Step *step = fake->steps->pdata[i - 1];

                if (step->radio == radio && !step->call && (!run || step->run == run))
                        g_ptr_array_remove_index(fake->steps, i - 1);
        }
}

/* -- messages --------------------------------------------------------------------- */

static void set_sender(FakeBluez *fake, sd_bus_message *m) {
        char name[32];

        if (fake->real)
                return;
        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        OK(sd_bus_message_set_sender(m, name));
}

/* The client may be gone, which is no matter. */
void fake_send(FakeBluez *fake, sd_bus_message *m) {
        if (fake->bus)
                (void) sd_bus_send(fake->bus, m, NULL);
}

static bool take_pending(FakeBluez *fake, sd_bus_message *call) {
        bool expected = sd_bus_message_get_expect_reply(call) > 0;

        return g_ptr_array_remove(fake->pending, call) && expected && fake->bus;
}

void fake_reply(FakeBluez *fake, sd_bus_message *call, const char *types, ...) {
        g_autoptr(sd_bus_message) hold = sd_bus_message_ref(call), reply = NULL;
        va_list ap;

        if (!take_pending(fake, call))
                return;

        OK(sd_bus_message_new_method_return(call, &reply));
        set_sender(fake, reply);
        if (types) {
                va_start(ap, types);
                OK(sd_bus_message_appendv(reply, types, ap));
                va_end(ap);
        }
        fake_send(fake, reply);
}

void fake_reply_error(FakeBluez *fake, sd_bus_message *call, const char *error, const char *text) {
        g_autoptr(sd_bus_message) hold = sd_bus_message_ref(call), reply = NULL;

        if (!take_pending(fake, call))
                return;

        OK(sd_bus_message_new_method_error(call, &reply, &SD_BUS_ERROR_MAKE_CONST(error, text)));
        set_sender(fake, reply);
        fake_send(fake, reply);
}

sd_bus_message *fake_signal_new(FakeBluez *fake, const char *path, const char *interface,
                                const char *member) {
        sd_bus_message *m = NULL;

        OK(sd_bus_message_new_signal(fake->bus, &m, path, interface, member));
        return m;
}

void fake_signal_send_as(FakeBluez *fake, const char *sender, sd_bus_message *signal) {
        OK(sd_bus_message_set_sender(signal, sender));
        fake_send(fake, signal);
        sd_bus_message_unref(signal);
}

void fake_signal_send(FakeBluez *fake, sd_bus_message *signal) {
        set_sender(fake, signal);
        fake_send(fake, signal);
        sd_bus_message_unref(signal);
}

void fake_signal(FakeBluez *fake, const char *path, const char *interface, const char *member,
                 const char *types, ...) {
        sd_bus_message *m;
        va_list ap;

        if (!fake->bus || !fake->running)
                return;
        m = fake_signal_new(fake, path, interface, member);
        va_start(ap, types);
        OK(sd_bus_message_appendv(m, types, ap));
        va_end(ap);
        fake_signal_send(fake, m);
}

void fake_call_as(FakeBluez *fake, const char *sender, sd_bus_message *call, sd_bus_message_handler_t done,
                  void *userdata) {
        if (!fake->real)
                OK(sd_bus_message_set_sender(call, sender));
        OK(sd_bus_call_async(fake->bus, NULL, call, done, userdata, UINT64_MAX));
        sd_bus_message_unref(call);
}

/* -- the bus ----------------------------------------------------------------------- */

static void bus_reply(FakeBluez *fake, sd_bus_message *call, const char *error, const char *types, ...) {
        g_autoptr(sd_bus_message) reply = NULL;
        va_list ap;

        if (sd_bus_message_get_expect_reply(call) <= 0)
                return;
        if (error)
                OK(sd_bus_message_new_method_error(call, &reply,
                                                   &SD_BUS_ERROR_MAKE_CONST(error, "Said the bus")));
        else
                OK(sd_bus_message_new_method_return(call, &reply));
        OK(sd_bus_message_set_sender(reply, DBUS));
        if (types) {
                va_start(ap, types);
                OK(sd_bus_message_appendv(reply, types, ap));
                va_end(ap);
        }
        fake_send(fake, reply);
}

static void tell_owner(FakeBluez *fake, const char *from, const char *to) {
        sd_bus_message *m;

        if (!fake->bus || fake->real)
                return;
        m = fake_signal_new(fake, "/org/freedesktop/DBus", DBUS, "NameOwnerChanged");
        OK(sd_bus_message_append(m, "sss", BLUEZ, from, to));
        fake_signal_send_as(fake, DBUS, m);
}

static void bus_call(FakeBluez *fake, sd_bus_message *call) {
        if (sd_bus_message_is_method_call(call, DBUS, "Hello"))
                bus_reply(fake, call, NULL, "s", FAKE_CLIENT);
        else if (sd_bus_message_is_method_call(call, DBUS, "AddMatch") ||
                 sd_bus_message_is_method_call(call, DBUS, "RemoveMatch"))
                bus_reply(fake, call, NULL, NULL);
        else
                bus_reply(fake, call, SD_BUS_ERROR_UNKNOWN_METHOD, NULL);
}

/* Whether bluetoothd gets it; else the bus has answered. */
static bool deliver(FakeBluez *fake, sd_bus_message *call) {
        const char *to = sd_bus_message_get_destination(call);
        char name[32];

        if (fake->real)
                return true;
        if (g_strcmp0(to, DBUS) == 0) {
                bus_call(fake, call);
                return false;
        }
        if (fake->denied) {
                bus_reply(fake, call, SD_BUS_ERROR_ACCESS_DENIED, NULL);
                return false;
        }
        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        if (g_strcmp0(to, BLUEZ) == 0 && !fake->running && fake->activatable &&
            sd_bus_message_get_auto_start(call) > 0)
                fake_start(fake);
        if (fake->running && (g_strcmp0(to, BLUEZ) == 0 || g_strcmp0(to, name) == 0))
                return true;
        bus_reply(fake, call,
                  sd_bus_message_get_auto_start(call) > 0 ? SD_BUS_ERROR_SERVICE_UNKNOWN
                                                          : SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                  NULL);
        return false;
}

/* -- faults and log ------------------------------------------------------------------- */

static void fault_free(void *p) {
        Fault *fault = p;

        g_free(fault->member);
        g_free(fault->error);
        g_free(fault->text);
        g_free(fault);
}

static void add_fault(FakeBluez *fake, const char *member, FaultKind kind, const char *error,
                      const char *text, uint64_t usec) {
        Fault *fault = g_new(Fault, 1);

        fake_heal(fake, member);
        *fault = (Fault){.member = g_strdup(member),
                         .kind = kind,
                         .error = g_strdup(error),
                         .text = g_strdup(text),
                         .usec = usec};
        g_ptr_array_add(fake->faults, fault);
}

void fake_fail(FakeBluez *fake, const char *member, const char *error, const char *text) {
        add_fault(fake, member, FAULT_ERROR, error, text, 0);
}

void fake_silence(FakeBluez *fake, const char *member) {
        add_fault(fake, member, FAULT_SILENCE, NULL, NULL, 0);
}

void fake_crash_in(FakeBluez *fake, const char *member) {
        add_fault(fake, member, FAULT_CRASH, NULL, NULL, 0);
}

void fake_delay(FakeBluez *fake, const char *member, uint64_t usec) {
        add_fault(fake, member, FAULT_DELAY, NULL, NULL, usec);
}

void fake_heal(FakeBluez *fake, const char *member) {
        for (guint i = fake->faults->len; i > 0; i--)
                if (strcmp(((const Fault *) fake->faults->pdata[i - 1])->member, member) == 0)
                        g_ptr_array_remove_index(fake->faults, i - 1);
}

static void name_call(sd_bus_message *call, char *ret) {
        const char *member = sd_bus_message_get_member(call), *interface, *property;

        (void) g_strlcpy(ret, member, MEMBER_LENGTH);
        if (strcmp(member, "Set") == 0 && sd_bus_message_read(call, "ss", &interface, &property) > 0)
                (void) g_snprintf(ret, MEMBER_LENGTH, "Set:%s", property);
        OK(sd_bus_message_rewind(call, true));
}

static void log_call(FakeBluez *fake, sd_bus_message *call, const char *name) {
        const char *path = sd_bus_message_get_path(call), *object = NULL;
        GString *line = g_string_new(name);
        const void *data;
        size_t size;

        g_string_append_printf(line, " %s", path[1] ? strrchr(path, '/') + 1 : path);
        if (strcmp(name, "RemoveDevice") == 0 && sd_bus_message_read(call, "o", &object) > 0)
                g_string_append_printf(line, " %s", strrchr(object, '/') + 1);
        if (strcmp(name, "WriteValue") == 0 && sd_bus_message_read_array(call, 'y', &data, &size) > 0)
                for (size_t i = 0; i < size; i++)
                        g_string_append_printf(line, "%s%02x", i ? "" : " ", ((const uint8_t *) data)[i]);
        OK(sd_bus_message_rewind(call, true));
        g_ptr_array_add(fake->log, g_string_free(line, false));
}

unsigned fake_count(const FakeBluez *fake, const char *member) {
        unsigned n = 0;

        for (guint i = 0; i < fake->log->len; i++) {
                const char *line = fake->log->pdata[i];

                n += g_str_has_prefix(line, member) && line[strlen(member)] == ' ';
        }
        return n;
}

const char *fake_first_change(const FakeBluez *fake) {
        static const char *const harmless[] = {
                        "GetManagedObjects ", "Get ",        "GetAll ",     "Ping ",
                        "Connect ",           "Disconnect ", "WriteValue ", "AcquireNotify "};

        for (guint i = 0; i < fake->log->len; i++) {
                const char *line = fake->log->pdata[i];
                bool found = false;

                for (size_t j = 0; j < G_N_ELEMENTS(harmless); j++)
                        found = found || g_str_has_prefix(line, harmless[j]);
                if (!found)
                        return line;
        }
        return NULL;
}

void fake_log_clear(FakeBluez *fake) {
        g_ptr_array_set_size(fake->log, 0);
}

static void handle_later(FakeBluez *fake, FakeRadio *radio, sd_bus_message *call) {
        fake_handle(fake, call);
}

static void take_call(FakeBluez *fake, sd_bus_message *call) {
        char name[MEMBER_LENGTH];

        name_call(call, name);
        log_call(fake, call, name);
        g_ptr_array_add(fake->pending, sd_bus_message_ref(call));
        for (guint i = 0; i < fake->faults->len; i++) {
                const Fault *fault = fake->faults->pdata[i];

                if (strcmp(fault->member, name) != 0)
                        continue;
                switch (fault->kind) {
                case FAULT_ERROR:
                        fake_reply_error(fake, call, fault->error, fault->text);
                        return;
                case FAULT_SILENCE:
                        return;
                case FAULT_CRASH:
                        fake_crash(fake);
                        return;
                default:
                        fake_after(fake, fault->usec, handle_later, NULL, call);
                        return;
                }
        }
        fake_handle(fake, call);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        FakeBluez *fake = userdata;
        uint8_t type;

        if (sd_bus_message_get_type(m, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
                return 0;
        if (deliver(fake, m))
                take_call(fake, m);
        return 1;
}

/* -- life --------------------------------------------------------------------------------- */

static void close_bus(FakeBluez *fake) {
        fake->filter = sd_bus_slot_unref(fake->filter);
        if (!fake->bus)
                return;
        (void) sd_bus_detach_event(fake->bus);
        fake->bus = sd_bus_close_unref(fake->bus);
}

static int on_connection(sd_event_source *source, int listener, uint32_t revents, void *userdata) {
        FakeBluez *fake = userdata;
        sd_id128_t id = SD_ID128_MAKE(6d, 65, 73, 68, 63, 6f, 72, 65, 64, 2d, 74, 65, 73, 74, 65, 64);
        int fd;

        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return 0;

        close_bus(fake);
        fake->n_connections++;
        OK(sd_bus_new(&fake->bus));
        OK(sd_bus_set_fd(fake->bus, fd, fd));
        OK(sd_bus_set_server(fake->bus, true, id));
        OK(sd_bus_negotiate_fds(fake->bus, true));
        OK(sd_bus_add_filter(fake->bus, &fake->filter, on_message, fake));
        OK(sd_bus_start(fake->bus));
        OK(sd_bus_attach_event(fake->bus, fake->event, SD_EVENT_PRIORITY_NORMAL));
        return 0;
}

static void listen_again(FakeBluez *fake) {
        static unsigned n;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int length;

        if (!fake->address)
                fake->address = g_strdup_printf("unix:abstract=meshcored-bluez-%i-%u", getpid(), n++);
        length = g_snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1, "%s",
                            strchr(fake->address, '=') + 1);
        fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert(bind(fake->listener, (struct sockaddr *) &address,
                      (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + (size_t) length)) >= 0);
        g_assert(listen(fake->listener, 4) >= 0);
        OK(sd_event_add_io(fake->event, &fake->listening, fake->listener, EPOLLIN, on_connection, fake));
}

static void stop_listening(FakeBluez *fake) {
        fake->listening = sd_event_source_disable_unref(fake->listening);
        if (fake->listener >= 0)
                (void) close(fake->listener);
        fake->listener = -1;
}

static void forget_all(FakeBluez *fake) {
        fake->running = false;
        g_ptr_array_set_size(fake->steps, 0);
        g_ptr_array_set_size(fake->agents, 0);
        g_ptr_array_set_size(fake->sessions, 0);
        for (guint i = 0; i < fake->adapters->len; i++)
                ((FakeAdapter *) fake->adapters->pdata[i])->n_discovering = 0;
        for (guint i = 0; i < fake->radios->len; i++)
                fake_radio_lose(fake->radios->pdata[i]);
}

/* bluetoothd ends with its bus. */
void fake_bus_drop(FakeBluez *fake, bool back) {
        g_ptr_array_set_size(fake->pending, 0);
        close_bus(fake);
        forget_all(fake);
        if (!back)
                stop_listening(fake);
        else if (fake->listener < 0)
                listen_again(fake);
}

static void agent_free(void *p) {
        FakeAgent *agent = p;

        g_free(agent->sender);
        g_free(agent->path);
        g_free(agent);
}

static void message_free(void *p) {
        sd_bus_message_unref(p);
}

static FakeBluez *new_fake(sd_event *event) {
        FakeBluez *fake = g_new(FakeBluez, 1);

        *fake = (FakeBluez){
                        .event = sd_event_ref(event),
                        /* as seen in the lab */
                        .times = {.discover = 150000,
                                  .connect = 50000,
                                  .resolve = 150000,
                                  .absent = 41000000,
                                  .drop = 10000,
                                  .retry = 150000,
                                  .wrong_key = 150000,
                                  .mute = 30000000,
                                  .pair_silent = 32000000,
                                  .leave = 2000000},
                        .adapters = g_ptr_array_new_with_free_func((GDestroyNotify) fake_adapter_free),
                        .radios = g_ptr_array_new_with_free_func((GDestroyNotify) fake_radio_free),
                        .log = g_ptr_array_new_with_free_func(g_free),
                        .steps = g_ptr_array_new_with_free_func(step_free),
                        .faults = g_ptr_array_new_with_free_func(fault_free),
                        .pending = g_ptr_array_new_with_free_func(message_free),
                        .agents = g_ptr_array_new_with_free_func(agent_free),
                        .sessions = g_ptr_array_new_with_free_func(g_free),
                        .generation = 1,
                        .listener = -1,
                        .running = true,
        };
        return fake;
}

FakeBluez *fake_bluez_new(sd_event *event) {
        FakeBluez *fake = new_fake(event);

        listen_again(fake);
        return fake;
}

static int on_owner(sd_bus_message *signal, void *userdata, sd_bus_error *error) {
        const char *name, *from, *to;

        OK(sd_bus_message_read(signal, "sss", &name, &from, &to));
        if (*name == ':' && !*to)
                fake_client_gone(userdata, name);
        return 0;
}

static void connect_bus(FakeBluez *fake) {
        OK(sd_bus_new(&fake->bus));
        OK(sd_bus_set_address(fake->bus, fake->address));
        OK(sd_bus_set_bus_client(fake->bus, true));
        OK(sd_bus_negotiate_fds(fake->bus, true));
        OK(sd_bus_add_filter(fake->bus, &fake->filter, on_message, fake));
        OK(sd_bus_start(fake->bus));
        OK(sd_bus_match_signal(fake->bus, NULL, DBUS, NULL, DBUS, "NameOwnerChanged", on_owner, fake));
        OK(sd_bus_request_name(fake->bus, BLUEZ, 0));
        OK(sd_bus_attach_event(fake->bus, fake->event, SD_EVENT_PRIORITY_NORMAL));
}

FakeBluez *fake_bluez_new_on_bus(sd_event *event, const char *address) {
        FakeBluez *fake = new_fake(event);

        fake->real = true;
        fake->address = g_strdup(address);
        connect_bus(fake);
        return fake;
}

FakeBluez *fake_bluez_free(FakeBluez *fake) {
        g_ptr_array_unref(fake->steps);
        g_ptr_array_unref(fake->pending);
        close_bus(fake);
        stop_listening(fake);
        g_ptr_array_unref(fake->radios);
        g_ptr_array_unref(fake->adapters);
        g_ptr_array_unref(fake->log);
        g_ptr_array_unref(fake->faults);
        g_ptr_array_unref(fake->agents);
        g_ptr_array_unref(fake->sessions);
        g_free(fake->address);
        sd_event_unref(fake->event);
        g_free(fake);
        return NULL;
}

void fake_crash(FakeBluez *fake) {
        g_autoptr(GPtrArray) pending = fake->pending;
        char name[32];

        if (!fake->running)
                return;

        fake->pending = g_ptr_array_new_with_free_func(message_free);
        forget_all(fake);
        if (fake->real) {
                close_bus(fake);
                return;
        }

        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        tell_owner(fake, name, "");
        for (guint i = 0; fake->bus && i < pending->len; i++)
                bus_reply(fake, pending->pdata[i], SD_BUS_ERROR_NO_REPLY, NULL);
}

void fake_start(FakeBluez *fake) {
        char name[32];

        if (fake->running)
                return;

        fake->running = true;
        fake->generation++;
        if (fake->real) {
                connect_bus(fake);
                return;
        }
        (void) g_snprintf(name, sizeof(name), ":1.%u", fake->generation);
        tell_owner(fake, "", name);
}

const char *fake_agent(FakeBluez *fake) {
        return fake->agents->len > 0 ? ((const FakeAgent *) fake->agents->pdata[0])->path : NULL;
}

FakeRadio *fake_find_radio(FakeBluez *fake, const char *path) {
        for (guint i = 0; i < fake->radios->len; i++) {
                FakeRadio *radio = fake->radios->pdata[i];
                size_t length = strlen(radio->path);

                if (radio->known && strncmp(path, radio->path, length) == 0 &&
                    (path[length] == '\0' || path[length] == '/'))
                        return radio;
        }
        return NULL;
}

FakeAdapter *fake_find_adapter(FakeBluez *fake, const char *path) {
        for (guint i = 0; i < fake->adapters->len; i++) {
                FakeAdapter *adapter = fake->adapters->pdata[i];

                if (adapter->present && strcmp(adapter->path, path) == 0)
                        return adapter;
        }
        return NULL;
}
