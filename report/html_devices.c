// SPDX-License-Identifier: Apache-2.0
// A case's disks and network interfaces: which way their requests went and what that took. May include: core, report.
#include "report/escape.h"
#include "report/html.h"

#include <math.h>

static void figure(struct str *out, const char *name, double value) {
    int digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
    if (!isfinite(value)) {
        str_add(out, "<td class=\"n void\">&ndash;");
        return;
    }
    html_named_cell(out, name);
    str_printf(out, "%.*f", digits, value);
}

// The device with its path; `of` is the machine's name, NULL where there is one only.
static void name_cell(struct str *out, const struct device *device, const char *of) {
    char path[64];
    device_path(device, path, sizeof path);
    str_add(out, "<tr><td class=\"text\">");
    escape_html(out, device->name, 80);
    str_add(out, of ? " on " : "");
    escape_html(out, of ? of : "", 80);
    str_add(out, "<br><span class=\"soft\">");
    escape_html(out, path, 80);
    str_printf(out, ", %s</span>", cause_info(device->cause)->id);
}

static void row(struct str *out, const struct devices *devices, const struct device *device, const char *of) {
    name_cell(out, device, of);
    html_named_cell(out, "requests a sample");
    str_printf(out, "%.0f", device->requests / fmax(device->samples, 1));
    figure(out, "mean, us", 1e6 * device_mean_s(device));
    figure(out, "p50, us", 1e6 * device_quantile_s(device, 0.5));
    figure(out, "p99, us", 1e6 * device_quantile_s(device, 0.99));
    figure(out, "kicks each", device_per_request(device, device->kicks));
    figure(out, "interrupts each", device_per_request(device, device->interrupts));
    figure(out, "% of the wait", device_wait_pct(devices, device));
    str_add(out, "</tr>\n");
}

static void rows(struct str *out, const struct devices *devices, const char *of) {
    for (size_t i = 0; devices && i < devices->count; i++)
        if (device_serves_job(&devices->items[i]))
            row(out, devices, &devices->items[i], of);
}

void html_devices(struct str *out, const struct model_case *c) {
    if (!devices_serve_job(c->devices) && !devices_serve_job(c->baseline_devices))
        return;
    str_add(out, "<h3>Disks and network interfaces</h3>\n");
    html_open_cards(out, "devices");
    str_add(out,
            "<tr><th>device<th class=\"n\">requests a sample<th class=\"n\">mean, us"
            "<th class=\"n\">p50, us<th class=\"n\">p99, us<th class=\"n\">kicks each<th class=\"n\">interrupts each"
            "<th class=\"n\">% of the wait</tr>\n");
    bool two = c->baseline.count > 0;
    rows(out, c->baseline_devices, two ? c->baseline.run[0].set->name : NULL);
    rows(out, c->devices, two ? c->subject.run[0].set->name : NULL);
    html_close_table(out);
    str_add(out,
            "<p class=\"soft\">From where the driver is given a request (a packet) to where it is done with it; "
            "half of them took less than p50, 99 % less than p99, good to a factor of 2. <b>Kicks</b>: notifications "
            "of software outside the guest; a "
            "device that needs none has 0. <b>% of the wait</b>: of the time for which the job's CPUs stood idle "
            "waiting for disks. In attribution samples.</p>\n");
}
