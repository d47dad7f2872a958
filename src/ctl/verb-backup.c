/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "autobus.h"
#include "command-line.h"
#include "history.h"
#include "macros.h"
#include "progress.h"
#include "verbs.h"
#include "when.h"

/* The history out of the daemon: all of it as a file, or its messages as text. */

/* -- backup ------------------------------------------------------------------ */

/* Beside the file first, so that an older backup stays until the new one is whole. */
static ExitCode write_backup(Client *client, const char *path, const char *part) {
        _cleanup_close_ int fd = -EBADF;
        ExitCode code;

        /* What is left of a broken off one may be open to others. */
        (void) unlink(part);
        fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", part, g_strerror(errno));

        code = client_call(client, CALL_FOREVER, NULL, CTL_ROOT, IFACE_MANAGER, "Backup", "h", fd);
        if (code == EXIT_CODE_OK && rename(part, path) < 0)
                code = ctl_fail(EXIT_CODE_FAILED, "cannot name the backup %s: %s", path, g_strerror(errno));
        if (code != EXIT_CODE_OK)
                (void) unlink(part);
        return code;
}

static ExitCode run_backup(const CtlOptions *options, const Args *args) {
        const char *path = args_word(args, 0);
        g_autofree char *part = g_strconcat(path, ".part", NULL);
        g_autoptr(Client) client = NULL;
        ExitCode code;

        code = client_open(options, &client);
        return code == EXIT_CODE_OK ? write_backup(client, path, part) : code;
}

const Verb verb_backup = {
                .name = "backup",
                .arguments = "FILE",
                .summary = "Write everything that is stored to a file, while the daemon runs",
                .description = "All radios, contacts, channels with their secrets, and messages, as of one "
                               "moment.\n"
                               "An older FILE is replaced once the new one is complete. To put it back, stop "
                               "the\n"
                               "daemon and run \"meshcored --restore FILE\"; \"meshcored --check-store "
                               "FILE\" only\n"
                               "looks whether it is whole.\n",
                .examples = "  sudo meshcorectl backup /var/backups/meshcored.db\n",
                .min_words = 1,
                .max_words = 1,
                .word = WORD_FILE,
                .run = run_backup,
};

/* -- export ------------------------------------------------------------------ */

static ExitCode export_radio(Client *client, Objects *objects, const char *radio, const HistoryFilter *filter,
                             uint64_t after, Progress *progress) {
        uint64_t first = after, last, done = 0;

        last = (uint64_t) json_int(objects_get(objects, radio, IFACE_MESSAGES), "LastId");
        for (;;) {
                _cleanup_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
                g_autoptr(JsonArray) page = NULL;
                guint n;
                int r;

                r = history_list(client, objects, radio, filter, after, true, HISTORY_PAGE, &error, &page);
                if (r < 0)
                        return client_report(client, NULL, &error, r);

                n = json_array_get_length(page);
                for (guint i = 0; i < n; i++) {
                        JsonObject *message = json_array_get_object_element(page, i);

                        after = (uint64_t) json_int(message, "Id");
                        json_print_line(message);
                }
                done += n;
                if (n < HISTORY_PAGE)
                        return EXIT_CODE_OK;
                /* Ids of other radios lie between: they make the steps uneven and no more. */
                progress_show(progress, "%" G_GUINT64_FORMAT " messages of %s, %" G_GUINT64_FORMAT " %%",
                              done, objects_radio_id(objects, radio),
                              (after - first) * 100 / MAX(last - MIN(first, last), after - first));
        }
}

static ExitCode run_export(const CtlOptions *options, const Args *args) {
        g_autoptr(GPtrArray) radios = NULL;
        g_autoptr(Objects) objects = NULL;
        g_autoptr(Client) client = NULL;
        HistoryFilter filter = {};
        Progress progress = {};
        uint64_t after = 0;
        ExitCode code;

        code = args_get_number(args, "after", INT64_MAX, &after);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "since", &filter.since_usec);
        if (code == EXIT_CODE_OK)
                code = args_get_when(args, "until", &filter.until_usec);
        if (code == EXIT_CODE_OK)
                code = client_open(options, &client);
        if (code == EXIT_CODE_OK)
                code = objects_load(client, &objects);
        if (code == EXIT_CODE_OK)
                code = objects_radios(objects, options, &radios);
        for (guint i = 0; code == EXIT_CODE_OK && i < radios->len; i++)
                code = export_radio(client, objects, radios->pdata[i], &filter, after, &progress);
        progress_end(&progress);
        return code;
}

static const VerbOption export_options[] = {
                {"after", 0, "ID", "only newer than this message", WORD_ANY, NULL},
                {"since", 0, "TIME", "only from then on: 2h (ago), today, yesterday, 12:30, 2026-03-01",
                 WORD_ANY, NULL},
                {"until", 0, "TIME", "only before then", WORD_ANY, NULL},
                {},
};

const Verb verb_export = {
                .name = "export",
                .arguments = "",
                .summary = "Print the whole history, one JSON object a line",
                .description = "Every stored message, oldest first, radio by radio, with Path, Radio, "
                               "PeerName,\n"
                               "ChannelName and every property of org.meshcored1.Message. A script that "
                               "remembers\n"
                               "the greatest Id goes on with --after; ids begin anew when HistoryId "
                               "changes.\n",
                .examples = "  meshcorectl export >history.jsonl\n"
                            "  meshcorectl export --after 1041 | jq -r .Text\n"
                            "  meshcorectl export --since 2026-03-01 --until 2026-04-01 >march.jsonl\n",
                .options = export_options,
                .run = run_export,
};
