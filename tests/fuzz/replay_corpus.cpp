// SPDX-License-Identifier: Apache-2.0
// Stands in for libFuzzer's main: runs the target once for every file of the given folders.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    int replayed = 0;
    for (int i = 1; i < argc; ++i)
        for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string input{std::istreambuf_iterator<char>(file), {}};
            LLVMFuzzerTestOneInput(
                reinterpret_cast<const std::uint8_t*>(input.data()), input.size()
            );
            ++replayed;
        }
    std::printf("replayed %d inputs\n", replayed);
    // An empty run would look like success.
    return replayed > 0 ? 0 : 1;
}
