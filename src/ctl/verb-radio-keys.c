/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "autobus.h"
#include "hex.h"
#include "macros.h"
#include "target.h"
#include "text-input.h"
#include "verb-radio-internal.h"

#define SIGN_MAX 8192
#define KEY_SIZE 64

/* -- sign ---------------------------------------------------------------------------- */

/* All of a file; at most a byte more than may be signed. */
static ExitCode read_data(const char *path, uint8_t *data, size_t capacity, size_t *ret_size) {
        bool is_stdin = !path || strcmp(path, "-") == 0;
        _cleanup_close_ int opened = -EBADF;
        size_t size = 0;
        ssize_t n;
        int fd;

        if (!is_stdin) {
                opened = open(path, O_RDONLY | O_CLOEXEC);
                if (opened < 0)
                        return ctl_fail(EXIT_CODE_USAGE, "cannot open %s: %s", path, g_strerror(errno));
        }

        fd = is_stdin ? STDIN_FILENO : opened;
        while (size < capacity && (n = read(fd, data + size, capacity - size)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return ctl_fail(EXIT_CODE_FAILED, "cannot read what is to be signed: %s",
                                        g_strerror(errno));
                size += (size_t) n;
        }

        *ret_size = size;
        return EXIT_CODE_OK;
}

static ExitCode run_sign(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL, *reply = NULL;
        g_autofree char *digits = NULL;
        uint8_t data[SIGN_MAX + 1];
        g_auto(Target) target = {};
        const void *signature;
        size_t size;
        ExitCode code;

        code = read_data(args_count(args) > 0 ? args_word(args, 0) : NULL, data, sizeof(data), &size);
        if (code != EXIT_CODE_OK)
                return code;
        if (size > SIGN_MAX)
                return ctl_fail(EXIT_CODE_USAGE, "a radio signs at most %d bytes", SIGN_MAX);

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_RADIO, "Sign", &call);
        if (code == EXIT_CODE_OK)
                code = target_send(&target, call, sd_bus_message_append_array(call, 'y', data, size), &reply);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_read_array(reply, 'y', &signature, &size) < 0)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to Sign makes no sense");

        digits = hex_dup(signature, size);
        target_print_text(&target, "Signature", digits);
        return EXIT_CODE_OK;
}

const Verb radio_sign = {
                .name = "radio sign",
                .arguments = "[FILE]",
                .summary = "Sign a file with the key of the radio",
                .description = "Or standard input; at most 8192 bytes. Prints the Ed25519 signature as 128 "
                               "hex "
                               "digits.\n"
                               "Takes the right to administer, and some seconds.\n"
                               "\n"
                               "With --json: {\"Signature\"}.\n",
                .examples = "  meshcorectl radio sign letter.txt\n"
                            "  printf hello | meshcorectl radio sign\n",
                .max_words = 1,
                .run = run_sign,
};

/* -- export ----------------------------------------------------------------------------- */

static ExitCode write_key(const char *path, const char *digits) {
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        ssize_t n;

        if (fd < 0)
                return ctl_fail(EXIT_CODE_FAILED, "cannot make %s: %s", path, g_strerror(errno));
        n = write(fd, digits, strlen(digits));
        if (n == (ssize_t) strlen(digits))
                n = write(fd, "\n", 1) == 1 && fsync(fd) == 0 ? n : -1;
        if (n != (ssize_t) strlen(digits))
                return ctl_fail(EXIT_CODE_FAILED, "cannot write %s: %s", path, g_strerror(errno));
        return EXIT_CODE_OK;
}

static ExitCode run_export_key(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *reply = NULL;
        const char *path = args_get(args, "output");
        char digits[2 * KEY_SIZE + 1];
        g_auto(Target) target = {};
        const void *key;
        size_t size;
        ExitCode code;

        if (!path && isatty(STDOUT_FILENO) && !args_has(args, "force"))
                return ctl_fail(EXIT_CODE_USAGE,
                                "not showing a private key on a terminal; use --output FILE, or "
                                "--force");

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = target_call(&target, &reply, target.radio, IFACE_RADIO, "ExportKey", NULL);
        if (code != EXIT_CODE_OK)
                return code;
        if (sd_bus_message_sensitive(reply) < 0 || sd_bus_message_read_array(reply, 'y', &key, &size) < 0 ||
            size != KEY_SIZE)
                return ctl_fail(EXIT_CODE_FAILED, "the daemon's answer to ExportKey makes no sense");

        hex_encode(key, size, digits);
        if (path)
                code = write_key(path, digits);
        else
                target_print_text(&target, "PrivateKey", digits);
        explicit_bzero(digits, sizeof(digits));
        return code;
}

static const VerbOption export_options[] = {
                {"output", 'o', "FILE", "write it to a new file that only you can read", WORD_ANY, NULL},
                {"force", 0, NULL, "show it even on a terminal", WORD_ANY, NULL},
                {},
};

const Verb radio_export_key = {
                .name = "radio export-key",
                .arguments = "",
                .summary = "Read the private key of the radio, for safe keeping",
                .description = "128 hex digits: the expanded Ed25519 key. Whoever has it is this node. "
                               "Builds of\n"
                               "firmware may refuse. Takes the right to administer.\n"
                               "\n"
                               "With --json: {\"PrivateKey\"}.\n",
                .examples = "  meshcorectl radio export-key --output home.key\n",
                .options = export_options,
                .run = run_export_key,
};

/* -- import -------------------------------------------------------------------------------- */

static ExitCode run_import_key(const CtlOptions *options, const Args *args) {
        _cleanup_message_ sd_bus_message *call = NULL;
        uint8_t key[KEY_SIZE];
        g_autofree char *line = NULL;
        g_auto(Target) target = {};
        ExitCode code;
        int r;

        code = text_input_line(args_get(args, "key-file"), "Private key, 128 hex digits", true, &line);
        if (code != EXIT_CODE_OK)
                return code;
        r = strlen(line) == sizeof(key) * 2 ? hex_decode(line, strlen(line), key, sizeof(key)) : -EINVAL;
        explicit_bzero(line, strlen(line));
        if (r < 0)
                return ctl_fail(EXIT_CODE_USAGE, "a private key has 128 hex digits");

        code = target_open(options, NULL, &target);
        if (code == EXIT_CODE_OK)
                code = client_new_call(target.client, target.radio, IFACE_RADIO, "ImportKey", &call);
        if (code == EXIT_CODE_OK) {
                r = sd_bus_message_sensitive(call);
                if (r >= 0)
                        r = sd_bus_message_append_array(call, 'y', key, sizeof(key));
                code = target_send(&target, call, r, NULL);
        }
        explicit_bzero(key, sizeof(key));
        return code;
}

static const VerbOption import_options[] = {
                {"key-file", 'k', "FILE", "read it from the first line of this file", WORD_ANY, NULL},
                {},
};

const Verb radio_import_key = {
                .name = "radio import-key",
                .arguments = "",
                .summary = "Give the radio another private key",
                .description = "Read from standard input; on a terminal it is typed unseen. The radio is "
                               "another "
                               "node\n"
                               "from then on, and its old key is lost unless it was exported. Takes the "
                               "right to\n"
                               "administer. Prints nothing, also with --json.\n",
                .examples = "  meshcorectl radio import-key --key-file home.key\n",
                .options = import_options,
                .run = run_import_key,
};
