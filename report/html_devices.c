// SPDX-License-Identifier: Apache-2.0
// A case's disks and network interfaces: which way their requests went and what that took. May include: core, report.
#include "report/escape.h"
#include "report/html.h"

#include <math.h>

static void text_cell(struct str *out, const char *text) {
    str_add(out, "<td class=\"text\">");
    escape_html(out, text, 80);
}

static void figure(struct str *out, double value) {
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    str_add(out, "<td class=\"n\">");
    if (isfinite(value))
        str_printf(out, "%.*f", digits, value);
    else
        str_add(out, "-");
}

static void row(struct str *out, const struct devices *devices, const struct device *device, const char *of) {
    char path[64];
    device_path(device, path, sizeof path);
    str_add(out, "<tr>");
    text_cell(out, of);
    text_cell(out, device->name);
    text_cell(out, path);
    text_cell(out, cause_info(device->cause)->id);
    str_printf(out, "<td class=\"n\">%.0f", device->requests / fmax(device->samples, 1));
    figure(out, 1e6 * device_mean_s(device));
    figure(out, 1e6 * device_quantile_s(device, 0.5));
    figure(out, 1e6 * device_quantile_s(device, 0.99));
    figure(out, device_per_request(device, device->kicks));
    figure(out, device_per_request(device, device->interrupts));
    figure(out, device_wait_pct(devices, device));
    str_add(out, "</tr>\n");
}

static void rows(struct str *out, const struct devices *devices, const struct side *side) {
    for (size_t i = 0; devices && i < devices->count; i++)
        if (device_serves_job(&devices->items[i]))
            row(out, devices, &devices->items[i], side->run[0].set->name);
}

void html_devices(struct str *out, const struct model_case *c) {
    if (!devices_serve_job(c->devices) && !devices_serve_job(c->baseline_devices))
        return;
    str_add(out, "<h3>Disks and network interfaces</h3>\n");
    html_open_table(out, "devices");
    str_add(out,
            "<tr><th>on<th>device<th>path<th>cause<th class=\"n\">requests a sample<th class=\"n\">mean, us"
            "<th class=\"n\">p50<th class=\"n\">p99<th class=\"n\">kicks each<th class=\"n\">interrupts each"
            "<th class=\"n\">% of the wait</tr>\n");
    rows(out, c->baseline_devices, &c->baseline);
    rows(out, c->devices, &c->subject);
    html_close_table(out);
    str_add(out,
            "<p class=\"soft\">From where the driver is given a request (a packet) to where it is done with it; "
            "p50 and p99 are good to a factor of 2. <b>Kicks</b>: notifications of software outside the guest; a "
            "device that needs none has 0. <b>% of the wait</b>: of the time for which the job's CPUs stood idle "
            "waiting for disks. In attribution samples.</p>\n");
}
