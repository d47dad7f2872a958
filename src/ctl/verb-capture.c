/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "framer.h"
#include "hex.h"
#include "json-text.h"
#include "macros.h"
#include "protocol.h"
#include "stream.h"
#include "verbs.h"

/* A recording as those in the tests: one frame a line, as it is on a serial line. meshcore-sim plays it. */

typedef struct Capture {
        const char *path;
        FILE *file;
        bool reconnect;
        int64_t first_usec, first_connection;
        uint64_t n;
} Capture;

/* With the header that it has on a serial line, whatever the link is. */
static char *stream_hex(const char *digits, bool command) {
        uint8_t frame[FRAME_SIZE_ACCEPTED], whole[FRAME_SIZE_ACCEPTED + STREAM_HEADER_SIZE];
        int n;

        n = hex_decode(digits, strlen(digits), frame, sizeof(frame));
        if (n > 0)
                n = stream_encode(command ? STREAM_MARKER_APP : STREAM_MARKER_RADIO, frame, (size_t) n, whole,
                                  sizeof(whole));
        return n > 0 ? hex_dup(whole, (size_t) n) : NULL;
}

static char *note_of(JsonObject *record, bool command, unsigned code) {
        const char *name = json_string(record, "Name");

        if (!*name)
                name = "unknown";
        return g_strdup_printf("%s %s%s",
                               command              ? "command"
                               : code >= PUSH_FIRST ? "push"
                                                    : "reply",
                               name, json_bool(record, "Blanked") ? ", secret blanked" : "");
}

static void add_step(GString *line, const Capture *c, JsonObject *record) {
        int64_t lost = json_int(record, "Lost");
        g_autofree char *step = NULL;

        if (c->n == 0)
                step = g_strdup("recorded by " CTL_NAME " capture");
        else if (lost > 0)
                step = g_strdup_printf("%" PRIi64 " frames are missing here", lost);
        if (step)
                json_text_string(line, "step", step);
}

static ExitCode write_frame(JsonObject *record, const char *text, void *userdata) {
        Capture *c = userdata;
        const char *digits = json_string(record, "Frame"), *direction = json_string(record, "Direction");
        bool command = strcmp(direction, "app>radio") == 0;
        g_autofree char *hex = stream_hex(digits, command), *note = NULL;
        g_autoptr(GString) line = g_string_new(NULL);

        if (!hex)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon sent what is no frame");
        if (c->n == 0) {
                c->first_usec = json_int(record, "TimeUSec");
                c->first_connection = json_int(record, "Connection");
        }

        note = note_of(record, command, (unsigned) (g_ascii_xdigit_value(digits[0]) << 4));
        json_text_open(line, NULL, '{');
        /* A clock that is set back meanwhile must not make it negative. */
        json_text_double(line, "t", (double) MAX(json_int(record, "TimeUSec") - c->first_usec, 0) / 1e6);
        json_text_string(line, "dir", direction);
        json_text_string(line, "hex", hex);
        json_text_string(line, "note", note);
        json_text_int(line, "conn", json_int(record, "Connection") - c->first_connection + 1);
        add_step(line, c, record);
        json_text_close(line, '}');

        /* Each line at once: the recording of a crash must not end before it. */
        if (fprintf(c->file, "%s\n", line->str) < 0 || fflush(c->file) != 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", c->path, g_strerror(errno));
        c->n++;
        return EXIT_CODE_OK;
}

static ExitCode open_file(Capture *c) {
        struct stat st;
        int fd;

        if (strcmp(c->path, "-") == 0) {
                c->file = stdout;
                return EXIT_CODE_OK;
        }

        /* Messages are in it: not for everybody. */
        fd = open(c->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", c->path, g_strerror(errno));
        /* … nor where an older file was. */
        if (fstat(fd, &st) >= 0 && S_ISREG(st.st_mode))
                (void) fchmod(fd, 0600);
        c->file = fdopen(fd, "w");
        if (!c->file) {
                (void) close(fd);
                return ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", c->path, g_strerror(ENOMEM));
        }
        return EXIT_CODE_OK;
}

/* An older file goes only when there is something to put in its place. */
static ExitCode on_opened(const Target *target, void *userdata) {
        Capture *c = userdata;
        ExitCode code;

        code = open_file(c);
        if (code == EXIT_CODE_OK && c->reconnect)
                code = target_call(target, NULL, target->radio, IFACE_RADIO, "Stop", NULL);
        if (code == EXIT_CODE_OK && c->reconnect)
                code = target_call(target, NULL, target->radio, IFACE_RADIO, "Start", NULL);
        return code;
}

static ExitCode run_capture(const CtlOptions *options, const Args *args) {
        static const StreamHandlers handlers = {.opened = on_opened, .record = write_frame};
        Capture c = {.path = args_word(args, 0), .reconnect = args_has(args, "reconnect")};
        g_auto(Target) target = {};
        ExitCode code;

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = stream_run(&target, "OpenFrames", args, &handlers, &c);
        if (c.file && c.file != stdout && fclose(c.file) != 0 && code == EXIT_CODE_OK)
                code = ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", c.path, g_strerror(errno));
        if (code == EXIT_CODE_OK && isatty(STDERR_FILENO))
                ctl_note("%" PRIu64 " frames", c.n);
        return code;
}

static const VerbOption capture_options[] = {
                STREAM_OPTIONS,
                {"reconnect", 0, NULL, "connect to the radio anew, to see a session from its first frame",
                 WORD_ANY, NULL},
                {},
};

static const char capture_description[] =
                "Until Ctrl-C, from now on and over reconnects. FILE is what a bug report needs:\n"
                "\"meshcore-sim --replay FILE\" plays it to another daemon. Keys, PINs, passwords and\n"
                "secrets of channels are overwritten in it, and so are the texts of remote command\n"
                "lines; messages, names and positions are not. An older FILE is replaced; - is\n"
                "standard output. Needs the right to administer.\n"
                "\n"
                "A daemon asks a radio that it knows only for what is new. A recording with all contacts\n"
                "comes of one that does not know it yet, as with \"meshcored --state-dir\" and an empty\n"
                "directory.\n"
                "\n"
                "Each line of FILE is a JSON object: t (seconds since the first frame), dir (app>radio or\n"
                "radio>app), hex (the frame as on a serial line, with its header of three bytes), note,\n"
                "conn (number of the connection), step (what is worth knowing before this frame). --json\n"
                "changes nothing.\n";

const Verb verb_capture = {
                .name = "capture",
                .arguments = "FILE [--count N] [--duration TIME] [--reconnect]",
                .summary = "Record what daemon and radio say to each other",
                .description = capture_description,
                .examples = "  sudo meshcorectl capture session.jsonl --reconnect --duration 2min\n"
                            "  meshcore-sim --tcp 127.0.0.1:5001 --replay session.jsonl\n",
                .options = capture_options,
                .min_words = 1,
                .max_words = 1,
                .word = WORD_FILE,
                .run = run_capture,
};
