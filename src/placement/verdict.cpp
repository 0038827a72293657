// SPDX-License-Identifier: Apache-2.0
#include "placement/verdict.h"

namespace penstock::placement {

std::string_view code(Verdict verdict) {
    switch (verdict) {
        case Verdict::fits:
            return "Q3";
        case Verdict::lacks_both:
            return "Q1";
        case Verdict::lacks_devices:
            return "Q2";
        case Verdict::lacks_cpu:
            return "Q4";
        case Verdict::fits_cpu_only:
            return "XL";
        case Verdict::lacks_cpu_only:
            return "XR";
        case Verdict::no_access:
            return "NA";
        case Verdict::lacks_memory:
            return "QM";
        case Verdict::no_domain:
            return "QD";
        case Verdict::closed:
            return "CL";
    }
    return "";
}

Verdict judge(const Node& node, const Request& request) {
    if (node.closed) return Verdict::closed;
    const bool cpu = node.cpu_free >= request.cpu_milli;
    const bool memory = node.memory_free >= request.memory_mib;
    if (request.cpu_only()) {
        if (!cpu) return Verdict::lacks_cpu_only;
        return memory ? Verdict::fits_cpu_only : Verdict::lacks_memory;
    }
    if (node.devices > 0 && !may_use(node, request)) return Verdict::no_access;
    const bool devices = node.devices_with(request.device_milli) >= request.devices;
    if (!devices) return cpu ? Verdict::lacks_devices : Verdict::lacks_both;
    if (!cpu) return Verdict::lacks_cpu;
    if (!memory) return Verdict::lacks_memory;
    if (request.one_domain && node.domains != 0 && lowest_devices(node, request) == 0)
        return Verdict::no_domain;
    return Verdict::fits;
}

}  // namespace penstock::placement
