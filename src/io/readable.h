// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "io/task.h"

namespace penstock::io {

// Returns when the descriptor can be read without waiting, a socket also when a connection can be
// accepted or its peer has gone; for descriptors that are no Stream and no Listener. It stays the
// caller's: open until this has returned or unwound. Nobody else of this loop waits for it.
Task<void> until_readable(int descriptor);

}  // namespace penstock::io
