// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli/api_fixture.h"

namespace penstock::cli {
namespace {

class SimTest : public ApiFixture {
  protected:
    std::string write(const std::string& name, const std::string& content) {
        std::ofstream(folder_ / name) << content;
        return (folder_ / name).string();
    }
    std::string read(const std::string& name) const {
        std::ifstream file(folder_ / name);
        return std::string(std::istreambuf_iterator<char>(file), {});
    }
};

TEST_F(SimTest, DrawsColumnsOfACsvFile) {
    const std::string curve = write("curve.csv", "x,fgd\n0,0\n130,95.4\n");
    const std::string target = (folder_ / "curve.svg").string();

    const Run run = this->run({"sim", "plot", curve, "--plot", target, "--json"});

    EXPECT_EQ(run.err, "");
    EXPECT_NE(run.out.find("\"rows\": 2"), std::string::npos) << run.out;
    EXPECT_TRUE(read("curve.svg").starts_with("<svg "));
}

TEST_F(SimTest, NamesFileLineAndColumnOfABadCell) {
    const std::string curve = write("curve.csv", "x,fgd\n0,zero\n");

    const Run run = this->run({"sim", "plot", curve});

    EXPECT_EQ(run.code, 2);
    EXPECT_NE(run.err.find("curve.csv:2: column fgd: 'zero' is no number"), std::string::npos)
        << run.err;
}

}  // namespace
}  // namespace penstock::cli
