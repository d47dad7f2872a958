/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simulator-internal.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "hex.h"
#include "log.h"

#define PENDING_MAX  4096 /* bytes before the radio waits for the line */
#define RESTART_USEC (1500 * USEC_PER_MSEC)
#define FACTORY_USEC (3500 * USEC_PER_MSEC)
#define HANDED_MAX   100000 /* kept for whoever counts */

uint64_t simulator_now(const Simulator *sim) {
        return (clock_boottime_usec() - sim->start) / USEC_PER_MSEC;
}

const char *simulator_name(const Simulator *sim) {
        return sim_link_name(sim->link);
}

bool simulator_is_message(uint8_t code) {
        return code == RESP_CONTACT_MSG_RECV || code == RESP_CHANNEL_MSG_RECV ||
               code == RESP_CONTACT_MSG_RECV_V3 || code == RESP_CHANNEL_MSG_RECV_V3 ||
               code == RESP_CHANNEL_DATA_RECV;
}

static void show(const Simulator *sim, const char *arrow, const char *name, const uint8_t *frame,
                 size_t size) {
        g_autofree char *hex = sim->verbose ? hex_dup(frame, size) : NULL;

        if (sim->verbose)
                (void) fprintf(stderr, "%9.3f %s %s %s\n", (double) simulator_now(sim) / 1000.0, arrow, name,
                               hex);
}

/* engine → port */

static bool engine_write_frame(void *userdata, const uint8_t *frame, size_t size) {
        Simulator *sim = userdata;

        return sim->mute_reply || port_write_frame(sim->port, frame, size);
}

static bool engine_is_connected(void *userdata) {
        Simulator *sim = userdata;

        return port_is_connected(sim->port);
}

static void engine_transmit(void *userdata, const uint8_t *raw, size_t size) {
        Simulator *sim = userdata;

        if (sim->mesh)
                mesh_transmit(sim->mesh, raw, size);
}

static int on_restarted(sd_event_source *source, uint64_t usec, void *userdata) {
        Simulator *sim = userdata;

        sim->restart_timer = sd_event_source_disable_unref(sim->restart_timer);
        sim->restarting = false;
        sim_link_refuse(sim->link, false);
        simulator_run(sim);
        return 0;
}

/* The link goes down and comes back when the radio has booted. */
static void engine_restart(void *userdata, bool factory_reset) {
        Simulator *sim = userdata;

        port_reset(sim->port);
        sim->restarting = true;
        (void) sd_event_source_disable_unref(sim->restart_timer);
        (void) sd_event_add_time_relative(sim->event, &sim->restart_timer, CLOCK_MONOTONIC,
                                          factory_reset ? FACTORY_USEC : RESTART_USEC, 10 * USEC_PER_MSEC,
                                          on_restarted, sim);
}

void simulator_reboot(Simulator *sim) {
        engine_restart(sim, false);
        engine_reboot(sim->engine);
}

/* port → line */

static int on_delay_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Simulator *sim = userdata;

        sim->delay_timer = sd_event_source_disable_unref(sim->delay_timer);
        sim->delaying = false;
        simulator_run(sim);
        return 0;
}

/* drop-after has come to its frame, of which these are the bytes. */
static void strike(Simulator *sim, const uint8_t *data, size_t size) {
        static const uint8_t garbage[] = "no frame at all";
        size_t part = sim->drop_how == SIM_FAULT_GARBAGE ? size : MIN(sim->drop_bytes, size);

        /* A line of frames carries a whole one or none. */
        if (sim->frames && part < size)
                part = 0;
        sim->drop_after = -1;
        if (part > 0)
                sim_link_write(sim->link, data, part);
        switch (sim->drop_how) {
        case SIM_FAULT_STALL:
                sim_link_stall(sim->link, true);
                if (part < size)
                        sim_link_write(sim->link, data + part, size - part);
                break;
        case SIM_FAULT_REBOOT:
                /* Not under the engine's hands; but nothing goes out any more. */
                sim->restarting = sim->reboot_due = true;
                break;
        case SIM_FAULT_GARBAGE:
                sim_link_write(sim->link, garbage, sizeof(garbage) - 1);
                break;
        default:
                sim_link_drop(sim->link);
        }
}

static void emit(void *userdata, const uint8_t *frame, size_t size) {
        Simulator *sim = userdata;
        uint8_t data[STREAM_HEADER_SIZE + FRAME_SIZE_MAX] = {STREAM_MARKER_RADIO, (uint8_t) size,
                                                             (uint8_t) (size >> 8)};
        size_t header = sim->frames ? 0 : STREAM_HEADER_SIZE;
        uint32_t delay = MAX(sim->delay, sim->pause);
        bool strikes, whole;
        OutFrame *out;

        if (sim->restarting || !sim->link || !sim_link_has_client(sim->link))
                return;

        show(sim, "<", frame_code_to_string(frame[0]) ?: "?", frame, size);
        memcpy(data + STREAM_HEADER_SIZE, frame, size);
        strikes = sim->drop_after > 0 && --sim->drop_after == 0;
        whole = !strikes || sim->drop_bytes >= header + size || sim->drop_how == SIM_FAULT_STALL ||
                sim->drop_how == SIM_FAULT_GARBAGE;
        if (whole && (simulator_is_message(frame[0]) || frame[0] == PUSH_SEND_CONFIRMED)) {
                out = g_new0(OutFrame, 1);
                out->size = size;
                memcpy(out->data, frame, size);
                out->end = sim_link_written(sim->link) + sim_link_pending(sim->link) + header + size;
                g_queue_push_tail(&sim->in_flight, out);
        }

        sim->frames_sent++;
        if (strikes)
                strike(sim, data + STREAM_HEADER_SIZE - header, header + size);
        else
                sim_link_write(sim->link, data + STREAM_HEADER_SIZE - header, header + size);
        if (delay > 0) {
                sim->delaying = true;
                (void) sd_event_source_disable_unref(sim->delay_timer);
                (void) sd_event_add_time_relative(sim->event, &sim->delay_timer, CLOCK_MONOTONIC,
                                                  delay * USEC_PER_MSEC, USEC_PER_MSEC, on_delay_over, sim);
        }
}

static bool may_emit(void *userdata) {
        Simulator *sim = userdata;

        return !sim->delaying && sim_link_pending(sim->link) < PENDING_MAX;
}

/* The clock is the engine's, and may go where the app wants it: the recording
 * is of another time. */
static bool answer_from_recording(Simulator *sim, const uint8_t *frame, size_t size) {
        if (frame[0] == CMD_GET_DEVICE_TIME)
                return false;
        if (frame[0] == CMD_SET_DEVICE_TIME && size >= 5) {
                engine_set_clock(sim->engine, 0);
                return false;
        }

        return replay_command(sim->replay, frame, size);
}

static void on_command(void *userdata, const uint8_t *frame, size_t size) {
        Simulator *sim = userdata;
        bool was_empty = engine_queue_length(sim->engine) == 0;

        if (sim->restarting)
                return;

        show(sim, ">", command_code_to_string(frame[0]) ?: "?", frame, size);
        if (sim->muted[frame[0]] && !sim->mute_executes)
                return;

        engine_advance(sim->engine, simulator_now(sim));
        sim->mute_reply = sim->muted[frame[0]];
        if (!sim->replay || !answer_from_recording(sim, frame, size))
                engine_command(sim->engine, frame, size);
        sim->mute_reply = false;

        if (frame[0] == CMD_SYNC_NEXT_MESSAGE && was_empty && !sim->synced) {
                sim->synced = true;
                sim->synced_at = simulator_now(sim);
        }
}

static bool on_step(void *userdata) {
        Simulator *sim = userdata;
        const uint8_t *frame;
        size_t size;

        if (sim->restarting)
                return false;
        if (sim->replay && replay_next(sim->replay, &frame, &size)) {
                (void) port_write_frame(sim->port, frame, size);
                return true;
        }

        return engine_step(sim->engine);
}

/* line → port */

static void on_connected(void *userdata) {
        Simulator *sim = userdata;

        sim->connections++;
        port_connect(sim->port);
        simulator_run(sim);
}

static void on_disconnected(void *userdata) {
        Simulator *sim = userdata;

        port_disconnect(sim->port);
        if (sim->replay)
                replay_disconnected(sim->replay);
        g_queue_clear_full(&sim->in_flight, g_free);
        if (sim->ends->len < HANDED_MAX)
                g_array_append_val(sim->ends, sim->popped->len);
}

static void on_input(void *userdata, const uint8_t *data, size_t size) {
        Simulator *sim = userdata;

        port_input(sim->port, data, size);
        simulator_run(sim);
}

static void on_written(void *userdata, uint64_t total) {
        Simulator *sim = userdata;
        OutFrame *out;

        while ((out = g_queue_peek_head(&sim->in_flight)) && out->end <= total) {
                GPtrArray *handed = simulator_is_message(out->data[0]) ? sim->popped : sim->confirmed;

                if (handed->len < HANDED_MAX)
                        g_ptr_array_add(handed, g_bytes_new(out->data, out->size));
                g_free(g_queue_pop_head(&sim->in_flight));
        }

        simulator_run(sim);
}

/* time */

static void fire(Simulator *sim, guint index) {
        const ScenarioEvent *event = g_ptr_array_index(sim->scenario->events, index);
        JsonObject *answer;

        g_array_index(sim->fired, bool, index) = true;
        answer = simulator_control(sim, event->command);
        if (!json_object_get_boolean_member(answer, "ok"))
                log_warning("Event %u of the scenario: %s", index + 1,
                            json_object_get_string_member(answer, "error"));
        json_object_unref(answer);
}

static uint64_t event_due(const Simulator *sim, guint index) {
        const ScenarioEvent *event = g_ptr_array_index(sim->scenario->events, index);

        if (g_array_index(sim->fired, bool, index))
                return ENGINE_TIME_NEVER;
        if (!event->after_sync)
                return event->at;

        return sim->synced ? sim->synced_at + event->at : ENGINE_TIME_NEVER;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        simulator_run(userdata);
        return 0;
}

static void arm(Simulator *sim) {
        uint64_t next = MIN(engine_next_time(sim->engine), mesh_next_time(sim->mesh));

        for (guint i = 0; i < sim->scenario->events->len; i++)
                next = MIN(next, event_due(sim, i));

        if (next == ENGINE_TIME_NEVER) {
                (void) sd_event_source_set_enabled(sim->timer, SD_EVENT_OFF);
                return;
        }

        (void) sd_event_source_set_time(sim->timer, sim->start + next * USEC_PER_MSEC);
        (void) sd_event_source_set_enabled(sim->timer, SD_EVENT_ONESHOT);
}

void simulator_run(Simulator *sim) {
        uint64_t now;

        /* Called again from within, by the line or by a command. */
        if (sim->in_pump || !sim->mesh)
                return;

        sim->in_pump = true;
        do {
                now = simulator_now(sim);
                while (mesh_step(sim->mesh, now))
                        port_pump(sim->port);
                engine_advance(sim->engine, now);
                for (guint i = 0; i < sim->scenario->events->len; i++)
                        if (event_due(sim, i) <= now)
                                fire(sim, i);
                port_pump(sim->port);
        } while (MIN(engine_next_time(sim->engine), mesh_next_time(sim->mesh)) <= now);
        sim->in_pump = false;

        if (sim->reboot_due) {
                sim->reboot_due = false;
                simulator_reboot(sim);
        }
        if (sim->restarting) {
                sim_link_refuse(sim->link, true);
                sim_link_drop(sim->link);
        }
        arm(sim);
}

static const PortCallbacks port_callbacks = {
                .command = on_command,
                .step = on_step,
                .emit = emit,
                .may_emit = may_emit,
};

static const EngineCallbacks engine_callbacks = {
                .write_frame = engine_write_frame,
                .is_connected = engine_is_connected,
                .transmit = engine_transmit,
                .restart = engine_restart,
};

/* The radio of a recording, and nobody around it. */
static int make_recorded_radio(Simulator *sim, const SimulatorConfig *config,
                               const ScenarioOptions *options) {
        g_autofree char *name = NULL;
        EngineConfig engine = {
                        .firmware = options->firmware,
                        .seed = options->seed,
                        .queue_size = options->kind == PORT_WIFI ? 256 : 16,
                        .max_contacts = 350,
                        .max_channels = 40,
                        .speed = options->speed,
        };
        int r;

        r = transcript_load(config->replay, &sim->transcript);
        if (r < 0)
                return r;

        transcript_configure(sim->transcript, &engine, &name);
        sim->scenario = scenario_new();
        sim->port = port_new(options->kind, engine_firmware_frame_max(engine.firmware), &port_callbacks, sim);
        sim->engine = engine_new(&engine, &engine_callbacks, sim, 0);
        transcript_teach_settings(sim->transcript, sim->engine);
        transcript_teach_contacts(sim->transcript, sim->engine, true);
        transcript_teach_channels(sim->transcript, sim->engine);
        transcript_teach_cards(sim->transcript, sim->engine);
        sim->replay = replay_new(sim->transcript);
        sim->mesh = mesh_new(sim->engine, options->seed, options->speed, 0, engine.epoch);
        port_reset(sim->port);
        return 0;
}

static int make_radio(Simulator *sim, const SimulatorConfig *config) {
        ScenarioOptions options = {
                        .firmware = config->firmware,
                        .kind = config->vradio ? config->ble
                                : config->tcp  ? PORT_WIFI
                                               : PORT_SERIAL,
                        .seed = config->seed,
                        .speed = config->speed,
                        .epoch = (uint32_t) (clock_realtime_usec() / USEC_PER_SEC),
        };
        int r;

        if (config->replay) {
                r = make_recorded_radio(sim, config, &options);
        } else {
                r = scenario_load(config->scenario, &sim->scenario);
                if (r < 0)
                        return r;

                sim->port = port_new(options.kind, engine_firmware_frame_max(config->firmware),
                                     &port_callbacks, sim);
                r = scenario_make_engine(sim->scenario, &options, &engine_callbacks, sim, &sim->engine);
                if (r >= 0)
                        r = scenario_make_mesh(sim->scenario, &options, sim->engine, &sim->mesh);
        }
        if (r < 0)
                return r;

        sim->fired = g_array_new(FALSE, TRUE, sizeof(bool));
        g_array_set_size(sim->fired, sim->scenario->events->len);
        return 0;
}

static int make_line(Simulator *sim, const SimulatorConfig *config) {
        static const SimLinkCallbacks callbacks = {
                        .connected = on_connected,
                        .disconnected = on_disconnected,
                        .input = on_input,
                        .written = on_written,
        };
        int r;

        r = sd_event_add_time(sim->event, &sim->timer, CLOCK_BOOTTIME, UINT64_MAX, USEC_PER_MSEC / 2,
                              on_timer, sim);
        if (r < 0)
                return log_error_errno(r, "Cannot make a timer");

        if (config->vradio) {
                sim->frames = true;
                sim->pause = config->ble == PORT_BLE_ESP32 ? PORT_BLE_ESP32_PAUSE_MS : 0;
                return sim_link_new_vradio(sim->event, config->vradio, config->radio, &callbacks, sim,
                                           &sim->link);
        }
        if (config->tcp)
                return sim_link_new_tcp(sim->event, config->tcp, &callbacks, sim, &sim->link);
        if (config->pty)
                return sim_link_new_pty(sim->event, config->pty, &callbacks, sim, &sim->link);
        return sim_link_new_wire(sim->event, config->serial, &callbacks, sim, &sim->link);
}

int simulator_new(sd_event *event, const SimulatorConfig *config, Simulator **ret) {
        g_autoptr(Simulator) sim = g_new0(Simulator, 1);
        int r;

        sim->event = sd_event_ref(event);
        sim->verbose = config->verbose;
        sim->start = clock_boottime_usec();
        sim->drop_after = -1;
        sim->popped = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        sim->confirmed = g_ptr_array_new_with_free_func((GDestroyNotify) g_bytes_unref);
        sim->ends = g_array_new(FALSE, FALSE, sizeof(guint));
        g_queue_init(&sim->in_flight);

        r = make_radio(sim, config);
        if (r < 0)
                return r;
        r = make_line(sim, config);
        if (r < 0)
                return r;

        simulator_run(sim);
        *ret = g_steal_pointer(&sim);
        return 0;
}

Simulator *simulator_free(Simulator *sim) {
        if (!sim)
                return NULL;

        sd_event_source_disable_unref(sim->timer);
        sd_event_source_disable_unref(sim->delay_timer);
        sd_event_source_disable_unref(sim->restart_timer);
        sim_link_free(sim->link);
        mesh_free(sim->mesh);
        engine_free(sim->engine);
        port_free(sim->port);
        scenario_free(sim->scenario);
        replay_free(sim->replay);
        transcript_free(sim->transcript);
        if (sim->fired)
                g_array_unref(sim->fired);
        g_queue_clear_full(&sim->in_flight, g_free);
        g_ptr_array_unref(sim->popped);
        g_ptr_array_unref(sim->confirmed);
        g_array_unref(sim->ends);
        sd_event_unref(sim->event);
        g_free(sim);
        return NULL;
}
