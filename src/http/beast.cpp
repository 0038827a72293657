// SPDX-License-Identifier: Apache-2.0
// All of Beast's own code that is not a template is compiled here, once
// (BOOST_BEAST_SEPARATE_COMPILATION).
#include <boost/beast/src.hpp>
