// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace penstock::sim {

// CPU seconds of the calling thread so far: unlike wall time, the machine's other work is not in
// it.
double thread_cpu_seconds();

}  // namespace penstock::sim
