/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "decode-internal.h"
#include "decode.h"
#include "framer.h"
#include "hex.h"
#include "macros.h"
#include "terminal.h"
#include "utf8.h"
#include "verbs.h"

#define LINE_MAX_SIZE (1024 * 1024)

typedef struct Decoder {
        bool json, stream;
        FrameContext context;
        bool guess;        /* nobody said what a BINARY_RESPONSE answers */
        bool failed;       /* some frame could not be decoded */
        Framer app, radio; /* of a stream: what each side sends */
        Framer *last;      /* where a piece without marker goes on */
} Decoder;

static int __attribute__((format(printf, 1, 2))) complain(const char *format, ...) {
        g_autofree char *text = NULL, *valid = NULL, *shown = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        valid = utf8_repair(text, strlen(text));
        shown = terminal_escape(valid);
        (void) fprintf(stderr, "meshcorectl: decode: %s\n", shown);
        return EXIT_CODE_USAGE;
}

/* -- output -- */

static void print_record(Decoder *decoder, JsonObject *record) {
        if (json_object_has_member(record, "error"))
                decoder->failed = true;

        if (decoder->json) {
                g_autoptr(JsonGenerator) generator = json_generator_new();
                g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
                g_autofree char *line = NULL;

                json_node_set_object(root, record);
                json_generator_set_root(generator, root);
                line = json_generator_to_data(generator, NULL);
                (void) puts(line);
        } else {
                g_autofree char *text = decode_record_to_text(record);

                (void) fputs(text, stdout);
        }
}

static void print_error(Decoder *decoder, const char *text) {
        g_autoptr(JsonObject) record = decode_error(text);

        print_record(decoder, record);
}

static void print_frame(Decoder *decoder, Slice frame) {
        g_autoptr(JsonObject) record =
                        decode_record(frame.data, frame.size, &decoder->context, decoder->guess);

        print_record(decoder, record);
}

/* Commands are shown by name; their arguments are for the radio to judge. */
static void print_command(Decoder *decoder, Slice frame) {
        g_autoptr(JsonObject) record = json_object_new();
        JsonObject *fields = json_object_new();

        json_object_set_int_member(record, "code", frame.data[0]);
        json_object_set_string_member(record, "name", command_code_to_string(frame.data[0]) ?: NAME_UNKNOWN);
        json_object_set_string_member(record, "direction", "app>radio");
        set_hex(fields, "arguments", frame.data + 1, frame.size - 1);
        json_object_set_object_member(record, "fields", fields);
        print_record(decoder, record);
}

/* -- input -- */

static void drain(Decoder *decoder, Framer *framer) {
        Slice frame;

        while (framer_next(framer, &frame) > 0) {
                if (framer == &decoder->app)
                        print_command(decoder, frame);
                else
                        print_frame(decoder, frame);
        }
}

/* A piece goes on where the frame before it is not whole yet; otherwise its
 * first marker tells who sent it. */
static Framer *choose_framer(Decoder *decoder, const uint8_t *data, size_t size) {
        if (framer_pending(decoder->last))
                return decoder->last;

        for (size_t i = 0; i < size; i++) {
                if (data[i] == STREAM_MARKER_APP)
                        return &decoder->app;
                if (data[i] == STREAM_MARKER_RADIO)
                        return &decoder->radio;
        }
        return decoder->last;
}

static void decode_piece(Decoder *decoder, const uint8_t *data, size_t size) {
        decoder->last = choose_framer(decoder, data, size);

        while (size > 0) {
                size_t taken = framer_push(decoder->last, data, size);

                data += taken;
                size -= taken;
                drain(decoder, decoder->last);
        }
}

static void finish_stream(Decoder *decoder) {
        size_t noise = framer_noise(&decoder->app) + framer_noise(&decoder->radio);

        if (noise > 0) {
                g_autofree char *text = g_strdup_printf("%zu bytes stand outside of frames", noise);

                print_error(decoder, text);
        }
        if (framer_pending(&decoder->app) || framer_pending(&decoder->radio))
                print_error(decoder, "the last frame is incomplete");
}

/* Digits without the blanks and colons that people and tools put between them. */
static char *strip_separators(const char *text) {
        GString *digits = g_string_sized_new(strlen(text));

        for (const char *p = text; *p != '\0'; p++)
                if (!g_ascii_isspace(*p) && *p != ':')
                        g_string_append_c(digits, *p);
        return g_string_free(digits, FALSE);
}

static void decode_text(Decoder *decoder, const char *text) {
        g_autofree char *digits = strip_separators(text);
        size_t capacity = strlen(digits) / 2;
        g_autofree uint8_t *bytes = g_malloc(capacity + 1);
        int n;

        n = hex_decode(digits, strlen(digits), bytes, capacity);
        if (n < 0)
                print_error(decoder, "not hex: pairs of the digits 0 to 9 and a to f are needed");
        else if (decoder->stream)
                decode_piece(decoder, bytes, (size_t) n);
        else if (n > FRAME_SIZE_ACCEPTED)
                print_error(decoder, "longer than a frame can be; --stream takes several at once");
        else
                print_frame(decoder, (Slice){bytes, (size_t) n});
}

static int decode_lines(Decoder *decoder, FILE *input) {
        g_autofree char *line = g_malloc(LINE_MAX_SIZE);

        while (fgets(line, LINE_MAX_SIZE, input)) {
                line[strcspn(line, "\n")] = '\0';
                if (line[strspn(line, " \t\r")] != '\0')
                        decode_text(decoder, line);
        }
        return ferror(input) ? -EIO : 0;
}

/* -- command line -- */

static int parse_node_type(const char *text, FrameContext *context) {
        for (unsigned type = NODE_CHAT; type < _NODE_TYPE_MAX; type++)
                if (strcmp(node_type_to_string(type), text) == 0) {
                        context->node_type = (NodeType) type;
                        return 0;
                }
        return -EINVAL;
}

static int parse_options(int *argc, char ***argv, Decoder *decoder, gboolean *ret_help) {
        g_autofree char *request = NULL, *node_type = NULL;
        gboolean json = FALSE, stream = FALSE;
        int prefix_length = 0, level = 0;
        const GOptionEntry entries[] = {
                        {.long_name = "json", .arg = G_OPTION_ARG_NONE, .arg_data = &json},
                        {.long_name = "stream", .arg = G_OPTION_ARG_NONE, .arg_data = &stream},
                        {.long_name = "request", .arg = G_OPTION_ARG_STRING, .arg_data = &request},
                        {.long_name = "node-type", .arg = G_OPTION_ARG_STRING, .arg_data = &node_type},
                        {.long_name = "prefix-length", .arg = G_OPTION_ARG_INT, .arg_data = &prefix_length},
                        {.long_name = "level", .arg = G_OPTION_ARG_INT, .arg_data = &level},
                        {.long_name = "help",
                         .short_name = 'h',
                         .arg = G_OPTION_ARG_NONE,
                         .arg_data = ret_help},
                        {},
        };
        g_autoptr(GOptionContext) options = g_option_context_new(NULL);
        g_autoptr(GError) error = NULL;

        g_option_context_set_help_enabled(options, FALSE);
        g_option_context_add_main_entries(options, entries, NULL);
        if (!g_option_context_parse(options, argc, argv, &error))
                return complain("%s", error->message);

        decoder->json = json;
        decoder->stream = stream;
        decoder->guess = !request;
        decoder->context.request = request ? reply_kind_from_string(request) : REPLY_NONE;
        if (decoder->context.request < 0)
                return complain("--request: unknown kind \"%s\"", request);
        if (node_type && parse_node_type(node_type, &decoder->context) < 0)
                return complain("--node-type: unknown type \"%s\"", node_type);
        if (prefix_length < 0 || prefix_length > PUBLIC_KEY_SIZE)
                return complain("--prefix-length: 1 to 32 bytes are possible");
        if (level < 0 || level > UINT8_MAX)
                return complain("--level: 0 to 255 are possible");
        decoder->context.prefix_length = (uint8_t) prefix_length;
        decoder->context.level = (uint8_t) level;
        return 0;
}

int decode_main(int argc, char *argv[]) {
        gboolean help = FALSE;
        Decoder decoder = {};
        int r;

        r = parse_options(&argc, &argv, &decoder, &help);
        if (r != 0)
                return r;
        if (help) {
                help_print_verb(&verb_decode);
                return EXIT_CODE_OK;
        }
        if (argc > 1 && strcmp(argv[1], "--") == 0) {
                argv++;
                argc--;
        }
        if (argc < 2)
                return complain("nothing to decode; meshcorectl decode --help explains");

        framer_init(&decoder.app, FRAMER_RESYNC, STREAM_MARKER_APP);
        framer_init(&decoder.radio, FRAMER_RESYNC, STREAM_MARKER_RADIO);
        decoder.last = &decoder.radio;

        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "-") != 0)
                        decode_text(&decoder, argv[i]);
                else if (decode_lines(&decoder, stdin) < 0) {
                        (void) complain("cannot read standard input: %s", g_strerror(errno));
                        return EXIT_CODE_FAILED;
                }
        }
        if (decoder.stream)
                finish_stream(&decoder);
        return decoder.failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
