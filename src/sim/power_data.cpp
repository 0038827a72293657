// SPDX-License-Identifier: Apache-2.0
#include "sim/power_table.h"

namespace penstock::sim {

// Device and socket watts as in github.com/Fr4nz83/PWR-plugin-kubernetes, whose tables changed over
// time. G2 and G3 are models their owner does not name; they are taken as A10 and A100. Which CPU
// stands beside A10 and G2 is not known: the profile that source uses for unknown CPUs.
std::string_view power_csv() {
    return R"(model,device_idle_watts,device_full_watts,cpu,socket_idle_watts,socket_full_watts,cores_per_socket
,0,0,Xeon 8269CY,20,205,26
T4,10,70,Xeon 8163,20,165,24
A10,30,150,not known,15,120,16
P100,25,250,Xeon ES-2682-V4,15,120,16
V100M16,30,300,Xeon 6326,20,185,16
V100M32,30,300,Xeon 6326,20,185,16
A100,50,400,Xeon 8369B,20,270,32
G2,30,150,not known,15,120,16
G3,50,400,Xeon 8369B,20,270,32
)";
}

}  // namespace penstock::sim
