// Fuzz target: what HTTP servers and peers send as OCSP responses and revocation lists, and where certificates say that those are.
#include "controlplane/ike/crypto_chain.hpp"
#include "controlplane/ike/crypto_revocation.hpp"
#include "tests/unit/ike/hex.hpp"
#include "tests/fuzz/promise.hpp"

#include <algorithm>

using namespace nave;
using namespace nave::ike;

namespace {

/// An authority with an Ed25519 key that nobody has any more, and a certificate of serial number 7 below it: valid on this day.
constexpr std::chrono::sys_seconds kToday = std::chrono::sys_days{std::chrono::year{2031} / 5 / 17} + std::chrono::hours{12};
constexpr const char* kIssuer =
    "308201083081bba003020102020101300506032b6570300c310a300806035504030c0152301e170d3331303531363132303030305a170d3332303531363132303030305a300c310a300806035504030c"
    "0152302a300506032b6570032100bcccc329ca5850afa30189d4cbddbb5222f7b5c1f65dbace08d47e3ec3282e59a3423040301d0603551d0e0416041410495465070de6698f8133140b5d51de10551b"
    "e7300f0603551d130101ff040530030101ff300e0603551d0f0101ff040403020106300506032b6570034100bba6188958330599619e9d69bc0cc7891655842b1b1ddcc2a4433d841ab53d939249815c"
    "1ad3949db3d05435c434180214806eb14f9f52e80263d83a4c04b60d";
constexpr const char* kSubject =
    "308201433081f6a003020102020107300506032b6570300c310a300806035504030c0152301e170d3331303531363132303030305a170d3332303531363132303030305a300c310a300806035504030c"
    "0173302a300506032b6570032100ddd61ee4b1d15abcffa86ebd68340bb5a271637800605efa1f5386aa7fa14db8a37d307b301d0603551d0e041604142132ee09d3d298516e60adeff0eee637e70be5"
    "4230290603551d1f04223020301ea01ca01a8618687474703a2f2f63726c2e6578616d706c652f612e63726c302f06082b0601050507010104233021301f06082b060105050730018613687474703a2f"
    "2f6f6373702e6578616d706c65300506032b6570034100d8820baba934cd61139b1b78cddea16e5e3af3b83efbd733f3ba11b8041c6ab73c3328eabd0007dc2312ebcdd877670e21fc446475340dbe3a"
    "3142e82b9cb00d";

void check(const std::expected<Verdict, std::string>& verdict) {
    if (!verdict) must(!verdict.error().empty() && std::ranges::all_of(verdict.error(), [](char c) { return c >= ' ' && c < 0x7f; }));
    else must(verdict->until >= kToday);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Certificate issuer = Certificate::decode(hex(kIssuer)).value(), subject = Certificate::decode(hex(kSubject)).value();
    const ByteView bytes{data, size};
    const auto by_response = judge_by_response(subject.id_by(issuer), issuer, bytes, kToday);
    check(by_response);
    // Nobody but the issuer, or whom it lets, says anything: another one with the same name and number does not.
    must(!judge_by_response(subject.id_by(issuer), subject, bytes, kToday));
    if (const auto lists = revocation_lists_from(bytes)) {
        for (const RevocationList& list : *lists) {
            const auto by_list = judge_by_list(subject, issuer, list, kToday);
            check(by_list);
            if (by_list) must(by_list->revoked == list.revokes(subject.id_by(issuer)));
        }
    }
    if (const auto certificate = Certificate::decode(bytes)) {
        const RevocationSources sources = revocation_sources(*certificate);
        must(sources.lists.size() <= 4 && sources.responders.size() <= 4);
        for (const std::string& url : sources.lists) must(url.starts_with("http://") || url.starts_with("https://"));
        must(!ocsp_request(certificate->id_by(issuer), issuer).empty());
    }
    return 0;
}
