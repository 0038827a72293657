// SPDX-License-Identifier: Apache-2.0
#include "drivers/driver.h"

namespace penstock::drivers {

std::string_view name(RunState state) {
    switch (state) {
        case RunState::prepared:
            return "prepared";
        case RunState::starting:
            return "starting";
        case RunState::running:
            return "running";
        case RunState::exited:
            return "exited";
        case RunState::lost:
            return "lost";
        case RunState::unknown:
            return "unknown";
    }
    return "unknown";
}

std::string_view name(Cause cause) {
    switch (cause) {
        case Cause::none:
            return "none";
        case Cause::exited:
            return "exited";
        case Cause::setup_failed:
            return "setup_failed";
        case Cause::signal:
            return "signal";
        case Cause::out_of_memory:
            return "out_of_memory";
        case Cause::stopped:
            return "stopped";
        case Cause::launch_failed:
            return "launch_failed";
        case Cause::vanished:
            return "vanished";
    }
    return "none";
}

}  // namespace penstock::drivers
