// SPDX-License-Identifier: Apache-2.0
#include "io/readable.h"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "base/check.h"
#include "io/await.h"

namespace penstock::io {
namespace asio = boost::asio;

Task<void> until_readable(int descriptor) {
    using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
    struct Borrowed {
        Descriptor it;
        ~Borrowed() { it.release(); }  // or it would be closed
    };
    Borrowed borrowed{Descriptor(co_await asio::this_coro::executor)};
    boost::system::error_code error;
    borrowed.it.assign(descriptor, error);
    CHECK(!error, "a descriptor of a file is always readable, and cannot be waited for");
    co_await borrowed.it.async_wait(Descriptor::wait_read, asio::deferred);
}

}  // namespace penstock::io
