/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>
#include <zbar.h>

void picture_done(struct picture *picture)
{
	free(picture->grey);
	*picture = (struct picture){0};
}

static int make(unsigned width, unsigned height, struct picture *ret_picture)
{
	if (width == 0 || height == 0)
		return -EINVAL;
	if (width > PICTURE_SIDE_MAX || height > PICTURE_SIDE_MAX ||
	    (size_t)width * height > PICTURE_PIXELS_MAX)
		return -E2BIG;
	ret_picture->grey = malloc((size_t)width * height);
	if (!ret_picture->grey)
		return -ENOMEM;
	ret_picture->width = width;
	ret_picture->height = height;
	return 0;
}

/* ---- PNG ---- */

static int read_png(const uint8_t *bytes, size_t length, struct picture *ret_picture)
{
	png_image image = {.version = PNG_IMAGE_VERSION};
	const png_color white = {255, 255, 255};
	int r;

	if (!png_image_begin_read_from_memory(&image, bytes, length))
		return -EINVAL;
	r = make(image.width, image.height, ret_picture);
	if (r < 0) {
		png_image_free(&image);
		return r;
	}
	image.format = PNG_FORMAT_GRAY;
	/* What is transparent is taken for white, as on paper. */
	if (!png_image_finish_read(&image, &white, ret_picture->grey, (png_int_32)image.width, NULL)) {
		picture_done(ret_picture);
		return -EINVAL;
	}
	return 0;
}

/* ---- JPEG ---- */

struct jpeg {
	struct jpeg_decompress_struct decoder;
	struct jpeg_error_mgr errors;
	jmp_buf failed;
	struct picture picture;
};

/* libjpeg's way to end: it must not return. */
static void on_error(j_common_ptr decoder)
{
	struct jpeg *jpeg = decoder->client_data;

	longjmp(jpeg->failed, 1);
}

static void on_message(j_common_ptr decoder)
{
}

static int decode_jpeg(struct jpeg *jpeg, const uint8_t *bytes, size_t length)
{
	struct jpeg_decompress_struct *decoder = &jpeg->decoder;
	int r;

	jpeg_mem_src(decoder, bytes, length);
	if (jpeg_read_header(decoder, TRUE) != JPEG_HEADER_OK)
		return -EINVAL;
	r = make(decoder->image_width, decoder->image_height, &jpeg->picture);
	if (r < 0)
		return r;
	decoder->out_color_space = JCS_GRAYSCALE;
	if (!jpeg_start_decompress(decoder) || decoder->output_width != jpeg->picture.width ||
	    decoder->output_height != jpeg->picture.height || decoder->output_components != 1)
		return -EINVAL;
	while (decoder->output_scanline < decoder->output_height) {
		JSAMPROW row = jpeg->picture.grey +
			       (size_t)decoder->output_scanline * jpeg->picture.width;

		if (jpeg_read_scanlines(decoder, &row, 1) != 1)
			return -EINVAL;
	}
	return 0;
}

static int read_jpeg(const uint8_t *bytes, size_t length, struct picture *ret_picture)
{
	/* Not on the stack: what longjmp() leaves of that is not known. */
	struct jpeg *jpeg = calloc(1, sizeof(*jpeg));
	int r;

	if (!jpeg)
		return -ENOMEM;
	jpeg->decoder.err = jpeg_std_error(&jpeg->errors);
	jpeg->errors.error_exit = on_error;
	jpeg->errors.output_message = on_message;
	if (setjmp(jpeg->failed) == 0) {
		jpeg_create_decompress(&jpeg->decoder);
		jpeg->decoder.client_data = jpeg;
		r = decode_jpeg(jpeg, bytes, length);
	} else {
		r = -EINVAL;
	}
	jpeg_destroy_decompress(&jpeg->decoder);
	if (r < 0)
		picture_done(&jpeg->picture);
	else
		*ret_picture = jpeg->picture;
	free(jpeg);
	return r;
}

int picture_read(const uint8_t *bytes, size_t length, struct picture *ret_picture)
{
	static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	static const uint8_t jpeg[] = {0xff, 0xd8, 0xff};

	if (length > sizeof(png) && memcmp(bytes, png, sizeof(png)) == 0)
		return read_png(bytes, length, ret_picture);
	if (length > sizeof(jpeg) && memcmp(bytes, jpeg, sizeof(jpeg)) == 0)
		return read_jpeg(bytes, length, ret_picture);
	return -EINVAL;
}

/* ---- codes ---- */

static void scannerp(zbar_image_scanner_t **scanner)
{
	if (*scanner)
		zbar_image_scanner_destroy(*scanner);
}

static void imagep(zbar_image_t **image)
{
	if (*image)
		zbar_image_destroy(*image);
}

int picture_codes(const struct picture *picture, struct buf *out)
{
	CLEANUP(scannerp) zbar_image_scanner_t *scanner = zbar_image_scanner_create();
	CLEANUP(imagep) zbar_image_t *image = zbar_image_create();
	bool found = false;

	if (!scanner || !image)
		return -ENOMEM;
	if (zbar_image_scanner_set_config(scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0) ||
	    zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1))
		return -EINVAL;
	zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
	zbar_image_set_size(image, picture->width, picture->height);
	zbar_image_set_data(image, picture->grey, (unsigned long)picture->width * picture->height, NULL);
	if (zbar_scan_image(scanner, image) <= 0)
		return -ENODATA;
	for (const zbar_symbol_t *symbol = zbar_image_first_symbol(image); symbol;
	     symbol = zbar_symbol_next(symbol)) {
		if (zbar_symbol_get_type(symbol) != ZBAR_QRCODE)
			continue;
		buf_add(out, zbar_symbol_get_data(symbol), zbar_symbol_get_data_length(symbol));
		buf_puts(out, "\n");
		found = true;
	}
	return found ? 0 : -ENODATA;
}
