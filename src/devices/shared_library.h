// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <dlfcn.h>

#include <memory>
#include <string>

namespace penstock::devices {

// A vendor's library, loaded at run time, so that nothing of a vendor is needed to build or to
// start.
class SharedLibrary {
  public:
    explicit SharedLibrary(const std::string& name)
        : handle_(::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
    bool is_open() const { return handle_ != nullptr; }

    // Null when the library has no such symbol: older and newer ones differ, and each call is
    // optional.
    template <class Function>
    Function* find(const char* symbol) const {
        return reinterpret_cast<Function*>(::dlsym(handle_.get(), symbol));
    }

  private:
    struct Close {
        void operator()(void* handle) const { ::dlclose(handle); }
    };
    std::unique_ptr<void, Close> handle_;
};

}  // namespace penstock::devices
