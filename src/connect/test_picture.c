/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <png.h>

#include "picture.h"

#define SIDE  33
#define SCALE 4
#define TEXT  "obfs4 192.0.2.1:443 cert=abc\n"

/* The code of the text above, with its margin. */
static const char code[SIDE][SIDE + 1] = {
    "                                 ",
    "                                 ",
    "                                 ",
    "                                 ",
    "    #######  #  # #   #######    ",
    "    #     # #  ##  ## #     #    ",
    "    # ### # ######    # ### #    ",
    "    # ### #  ### # #  # ### #    ",
    "    # ### # #    #### # ### #    ",
    "    #     # ## #    # #     #    ",
    "    ####### # # # # # #######    ",
    "            ##  #  #             ",
    "    ## #  ##  # ## ## ### ##     ",
    "     #   # ## ## ##   # #  ##    ",
    "    #   #### ## #    # #  ###    ",
    "     # # #       ### # ##   #    ",
    "    #  # ## #       #  # #  #    ",
    "      #    # ##   ####   ####    ",
    "    #   # ### ###### # # #  #    ",
    "     #  #       ### # #  #  #    ",
    "    ##  # ## ## # ##########     ",
    "            #  # ## #   #   #    ",
    "    ####### #   ## ## # # ###    ",
    "    #     #   # # ###   ###      ",
    "    # ### #    #  # #####   #    ",
    "    # ### # # ## # ####  # #     ",
    "    # ### #  #  # ## #  #   #    ",
    "    #     # # ###   #  #         ",
    "    ####### ###    ##  # # ##    ",
    "                                 ",
    "                                 ",
    "                                 ",
    "                                 ",
};

static void draw(struct picture *picture, bool with_code)
{
	picture->width = picture->height = SIDE * SCALE;
	picture->grey = malloc((size_t)picture->width * picture->height);
	assert_non_null(picture->grey);
	for (size_t y = 0; y < picture->height; y++)
		for (size_t x = 0; x < picture->width; x++)
			picture->grey[y * picture->width + x] =
			    with_code && code[y / SCALE][x / SCALE] == '#' ? 0 : 255;
}

static uint8_t file[1 << 20];

static size_t write_png(const struct picture *picture)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
			   .width = picture->width,
			   .height = picture->height,
			   .format = PNG_FORMAT_GRAY};
	png_alloc_size_t length = sizeof(file);

	assert_true(png_image_write_to_memory(&image, file, &length, 0, picture->grey, 0, NULL));
	return length;
}

static size_t write_jpeg(const struct picture *picture)
{
	struct jpeg_compress_struct encoder;
	struct jpeg_error_mgr errors;
	unsigned char *made = NULL;
	unsigned long length = 0;

	encoder.err = jpeg_std_error(&errors);
	jpeg_create_compress(&encoder);
	jpeg_mem_dest(&encoder, &made, &length);
	encoder.image_width = picture->width;
	encoder.image_height = picture->height;
	encoder.input_components = 1;
	encoder.in_color_space = JCS_GRAYSCALE;
	jpeg_set_defaults(&encoder);
	jpeg_start_compress(&encoder, TRUE);
	while (encoder.next_scanline < encoder.image_height) {
		JSAMPROW row = picture->grey + (size_t)encoder.next_scanline * picture->width;

		assert_int_equal(jpeg_write_scanlines(&encoder, &row, 1), 1);
	}
	jpeg_finish_compress(&encoder);
	jpeg_destroy_compress(&encoder);
	assert_true(length < sizeof(file));
	memcpy(file, made, length);
	free(made);
	return length;
}

static size_t (*const writers[])(const struct picture *) = {write_png, write_jpeg};

static void test_codes_are_read(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		CLEANUP(picture_done) struct picture drawn = {0}, seen = {0};
		AUTO_BUF struct buf text = {.cap = 4096};
		size_t length;

		draw(&drawn, true);
		length = writers[i](&drawn);
		assert_int_equal(picture_read(file, length, &seen), 0);
		assert_int_equal(seen.width, drawn.width);
		assert_int_equal(picture_codes(&seen, &text), 0);
		assert_string_equal(buf_text(&text), TEXT);
	}
}

static void test_nothing_to_read(void **state)
{
	CLEANUP(picture_done) struct picture drawn = {0}, seen = {0};
	AUTO_BUF struct buf text = {.cap = 4096};
	size_t length;

	draw(&drawn, false);
	length = write_png(&drawn);
	assert_int_equal(picture_read(file, length, &seen), 0);
	assert_int_equal(picture_codes(&seen, &text), -ENODATA);
}

/* Cut anywhere, or with a byte changed, it is refused or read, and nothing else happens. */
static void test_broken_files(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		CLEANUP(picture_done) struct picture drawn = {0};
		size_t length;

		draw(&drawn, true);
		length = writers[i](&drawn);
		for (size_t cut = 0; cut < length; cut += 7) {
			CLEANUP(picture_done) struct picture seen = {0};
			int r = picture_read(file, cut, &seen);

			assert_true(r == 0 || r == -EINVAL);
			assert_int_equal(r == 0, seen.grey != NULL);
		}
		for (size_t at = 3; at < length; at += 5) {
			CLEANUP(picture_done) struct picture seen = {0};
			int r;

			file[at] ^= 0x55;
			r = picture_read(file, length, &seen);
			assert_true(r == 0 || r == -EINVAL || r == -E2BIG);
			assert_int_equal(r == 0, seen.grey != NULL);
			file[at] ^= 0x55;
		}
	}
}

static void put_number(uint8_t *to, uint32_t number)
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* A head that promises more than may be: refused before memory is asked for. */
static void test_too_large(void **state)
{
	CLEANUP(picture_done) struct picture drawn = {0}, seen = {0};
	size_t length;

	draw(&drawn, true);
	length = write_jpeg(&drawn);
	for (size_t at = 0; at + 9 < length; at++) {
		if (file[at] != 0xff || file[at + 1] != 0xc0)
			continue;
		memset(file + at + 5, 0xf0, 4);
		assert_int_equal(picture_read(file, length, &seen), -E2BIG);
		return;
	}
	fail_msg("no frame header");
}

static void test_what_is_no_picture(void **state)
{
	static const uint8_t other[] = "GIF89a and more";
	CLEANUP(picture_done) struct picture seen = {0};

	assert_int_equal(picture_read(other, sizeof(other), &seen), -EINVAL);
	assert_int_equal(picture_read(other, 0, &seen), -EINVAL);
	put_number(file, 0xffd8ffff);
	assert_int_equal(picture_read(file, 4, &seen), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_codes_are_read), cmocka_unit_test(test_nothing_to_read),
	    cmocka_unit_test(test_broken_files),   cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_what_is_no_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
