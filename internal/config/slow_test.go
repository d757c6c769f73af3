package config
import ("testing";"strings";"time")
func TestSlow(t *testing.T){
 for n,d:=range map[string]string{
 "brackets":strings.Repeat("[",250000),
 "brackets9":strings.Repeat("[",9000),
 "braces":strings.Repeat("{a: ",60000),
 "dashes":strings.Repeat("- ",120000),
 "q":strings.Repeat("? ",120000),
 "keys":strings.Repeat("a: b\n",50000),
 "badlines":strings.Repeat("a: b\n",1000)+" \"",
 "fat":strings.Repeat(strings.Repeat("a",2000)+": b\n",100)+" \"",
 "flowkeys":"{"+strings.Repeat("a,",120000),
 "anchors":"a: &a b\n"+strings.Repeat("- *a\n",40000),
 "docs":strings.Repeat("---\n",60000),
 "comments":strings.Repeat("#\n",120000),
 "commentsdeep":strings.Repeat("a:\n #\n",40000),
 "jails":"jails:\n"+strings.Repeat("  a: {x: 1}\n",20000),
 "words":"never: "+strings.Repeat("a,",120000),
 "list":"never:\n"+strings.Repeat("- a\n",60000),
 "colons":strings.Repeat("a:",120000),
 } { s:=time.Now(); _,err:=Parse("x",[]byte(d),room()); m:=""; if err!=nil{m=err.Error(); if len(m)>100{m=m[:100]}}; t.Log(n,time.Since(s),m)}
}
