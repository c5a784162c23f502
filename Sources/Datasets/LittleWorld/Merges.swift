// Made by Scripts/little_world_tokenizer.py from the world's own text; do not edit.

extension LittleWorld {
  /// The characters of the world; a byte-level vocabulary writes a space as Ġ.
  static let alphabet = #"+,-.0123456789:;=?[]abcdefghijklmnopqrstuvwxyzĠ"#

  /// Pairs in the order in which they are merged.
  static let merges = #"""
    b~a b~e b~i b~o b~u d~a d~e d~i d~o d~u f~a f~e f~i f~o f~u g~a g~e g~i g~o g~u k~a k~e k~i k~o k~u l~a l~e l~i
    l~o l~u m~a m~e m~i m~o m~u n~a n~e n~i n~o n~u p~a p~e p~i p~o p~u r~a r~e r~i r~o r~u s~a s~e s~i s~o s~u t~a
    t~e t~i t~o t~u v~a v~e v~i v~o v~u z~a z~e z~i z~o z~u Ġ~ba Ġ~be Ġ~bi Ġ~bo Ġ~bu Ġ~da Ġ~de Ġ~di Ġ~do Ġ~du Ġ~fa
    Ġ~fe Ġ~fi Ġ~fo Ġ~fu Ġ~ga Ġ~ge Ġ~gi Ġ~go Ġ~gu Ġ~ka Ġ~ke Ġ~ki Ġ~ko Ġ~ku Ġ~la Ġ~le Ġ~li Ġ~lo Ġ~lu Ġ~ma Ġ~me Ġ~mi
    Ġ~mo Ġ~mu Ġ~na Ġ~ne Ġ~ni Ġ~no Ġ~nu Ġ~pa Ġ~pe Ġ~pi Ġ~po Ġ~pu Ġ~ra Ġ~re Ġ~ri Ġ~ro Ġ~ru Ġ~sa Ġ~se Ġ~si Ġ~so Ġ~su
    Ġ~ta Ġ~te Ġ~ti Ġ~to Ġ~tu Ġ~va Ġ~ve Ġ~vi Ġ~vo Ġ~vu Ġ~za Ġ~ze Ġ~zi Ġ~zo Ġ~zu Ġ~c Ġ~h Ġ~i a~r h~e Ġ~o Ġ~a n~d Ġ~w
    Ġc~o Ġ~t Ġh~a Ġ~s l~l i~n Ġ~b Ġt~he h~o Ġc~a Ġ~f c~o Ġ~j Ġo~f Ġ~p h~a Ġha~s n~t lo~u Ġi~s Ġ~e Ġ~d ha~t o~d Ġj~o
    lo~w Ġi~n Ġh~o Ġco~in o~k Ġw~o Ġ~k lou~r Ġ~y Ġ~g c~k l~d c~re cre~t h~i ve~s Ġgi~ves r~d r~n Ġh~e e~nd ri~end
    Ġde~ar Ġf~riend n~g o~u Ġy~ou Ġw~ho u~p p~le m~p Ġse~cret l~low Ġfo~od Ġho~me ar~s n~na mi~l co~u cou~nt Ġ~=
    ar~l Ġco~lour va~n Ġjo~b a~d r~t s~t ra~n Ġo~ran no~w l~y nd~ly Ġ~n a~se Ġ~m Ġ~l he~e bo~u Ġc~up Ġha~t p~y
    Ġba~ll Ġbo~ok te~r Ġla~mp Ġke~y so~rt r~st tu~rn Ġc~hi j~o t~s Ġc~le Ġse~e Ġgu~s Ġcoin~s Ġpa~y Ġa~nna co~rd d~y
    e~nt ho~w li~ng me~dy pa~ti pati~ent re~cord ru~n Ġ~[ Ġlo~ad Ġre~medy Ġru~ling Ġs~how Ġto~ok Ġe~mil Ġc~arl
    Ġi~van Ġki~m Ġbe~n Ġfa~y ve~r Ġha~na sa~y t~he w~hat te~ll bou~t de~r n~der Ġa~bout Ġwo~nder Ġca~n Ġk~now Ġsa~y
    Ġw~hat u~se Ġmo~use Ġco~w Ġdo~g ro~g Ġf~rog hee~p Ġs~heep Ġdu~ck Ġbi~rd Ġfo~x Ġca~t l~f Ġwo~lf Ġha~re Ġbe~ar
    Ġa~nd Ġg~re a~p w~ap Ġs~wap Ġin~c Ġco~py Ġcle~ar Ġde~c ki~ndly ple~ase Ġga~r Ġb~la w~ho t~le t~tle i~ck q~u
    qu~ick Ġ~quick llow~s Ġfo~llows ge~r n~ger g~h Ġki~nd Ġsee~s Ġo~ld Ġhe~ars ma~ll Ġs~mall Ġbi~g ke~s Ġli~kes
    ro~u rou~d Ġp~roud Ġs~low Ġfe~ars ll~s Ġca~lls e~ts Ġme~ets l~p lp~s Ġhe~lps Ġyou~ng Ġno~t Ġt~hat Ġte~ll du~l
    dul~t Ġa~dult co~nd Ġse~cond Ġfi~rst s~h Ġchi~ld c~he o~n Ġw~i fo~od ho~me jo~b Ġfa~r co~lour i~lo ilo~r Ġgo~ld
    Ġmi~ll Ġca~ke t~ter Ġpo~tter ro~w row~n Ġb~rown ki~m lu~e Ġb~lue e~mil Ġki~ndly ha~na i~van be~n c~arl a~nna
    lu~m Ġp~lum fa~y e~n Ġgre~en le~ase Ġp~lease se~cret gu~s ro~n Ġi~ron g~g Ġe~gg re~ad Ġb~read r~ple Ġpu~rple
    hi~te Ġw~hite Ġbla~ck Ġso~up e~llow Ġy~ellow hi~rst Ġt~hirst a~n Ġbe~an de~n Ġgar~den h~y hy~me Ġt~hyme n~k
    Ġpi~nk Ġpe~ar n~ter u~nter Ġh~unter gu~e ti~gue Ġbu~rn Ġfa~tigue in~t n~ne nne~l Ġfa~int Ġfe~nnel Ġne~ttle
    Ġchi~ll si~l Ġba~sil u~gh Ġco~ugh Ġa~che Ġra~sh r~re rre~l Ġba~rrel li~c Ġgar~lic Ġsi~nger Ġwi~llow d~d dd~le
    p~py Ġpo~ppy Ġsa~ddle e~ze ne~eze Ġs~neeze Ġmi~nt
    """#
}
