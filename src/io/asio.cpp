// SPDX-License-Identifier: Apache-2.0
// All of Asio's own code is compiled here, once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
