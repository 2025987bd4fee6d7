// SPDX-License-Identifier: Apache-2.0
// A case's devices in the text report: which way their requests went and what that took. May include: core, report.
#include "report/text.h"

#include <math.h>

static void whole(const struct text_page *page, double value, int width) {
    char text[32];
    snprintf(text, sizeof text, "%.0f", value);
    text_cell(page, text, width);
}

static void figure(const struct text_page *page, double value, int width) {
    char text[32];
    snprintf(text, sizeof text, "%.*f", value >= 100 ? 0 : value >= 10 ? 1 : 2, value);
    text_cell(page, isfinite(value) ? text : "-", width);
}

static void row(const struct text_page *page, const struct devices *devices, const struct device *device) {
    char path[64];
    snprintf(path, sizeof path, "%s%s%s", device->path, *device->via ? "/" : "", device->via);
    fputs("  ", page->out);
    text_cell(page, device->name, 9);
    fputc(' ', page->out);
    text_cell(page, path, 19);
    whole(page, device->requests / fmax(device->samples, 1), -8);
    figure(page, 1e6 * device_mean_s(device), -8);
    figure(page, 1e6 * device_quantile_s(device, 0.5), -7);
    figure(page, 1e6 * device_quantile_s(device, 0.99), -8);
    figure(page, device_per_request(device, device->kicks), -6);
    figure(page, device_per_request(device, device->interrupts), -5);
    figure(page, device_wait_pct(devices, device), -6);
    fputc('\n', page->out);
}

void text_devices(const struct text_page *page, const struct devices *devices, const char *of) {
    if (!devices_serve_job(devices))
        return;
    fprintf(page->out, "\n  requests a sample%s%s, in us; p50 and p99 to a factor of 2\n", *of ? " of " : "", of);
    fputs("  device    path               requests    mean    p50     p99 kicks irqs wait%\n", page->out);
    for (size_t i = 0; i < devices->count; i++)
        if (device_serves_job(&devices->items[i]))
            row(page, devices, &devices->items[i]);
}
